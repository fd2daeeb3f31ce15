/// The library has no functions of its own to call: it takes the place of libc's. See FaultControl.h for its knobs.
#ifndef FAULT_INJECTOR_H
#define FAULT_INJECTOR_H
#endif
