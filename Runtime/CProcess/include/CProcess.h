#ifndef APUS_CPROCESS_H
#define APUS_CPROCESS_H
#endif
