#!/bin/sh
# The 20 most frequent words of standard input, each with its count.
tr -cs '[:alnum:]' '\n' | tr '[:upper:]' '[:lower:]' | grep . | sort | uniq -c | sort -k1,1nr -k2 | head -n 20
