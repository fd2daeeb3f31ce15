/// What the library knows: its control file, and what each descriptor stands for.
#ifndef FAULT_STATE_H
#define FAULT_STATE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "FaultControl.h"

/// NULL: nothing shall happen.
extern struct fault_control *fault_control;

/// What a descriptor, or a path, is to the library.
struct fault_target {
    /// A fault_file; 0 when it is no file below the folder.
    uint32_t file;
    bool is_socket;
    bool is_folder;
    /// Of the path, in the undo log.
    uint32_t number;
};

/// Looked up when it is used for the first time, and again after `fault_forget`.
struct fault_target fault_target_of(int descriptor);
/// The descriptor may stand for something else from now on.
void fault_forget(int descriptor);
/// Paths have changed.
void fault_forget_files(void);
/// Whether `path` as it was given to a call is below the folder; `resolved` has room for PATH_MAX bytes.
bool fault_is_below(int folder, const char *path, char *resolved);
uint32_t fault_file_of(const char *path);

/// The errno with which the call shall fail; 0: it shall not.
int fault_error(struct fault_rule *rule, uint32_t file);
/// How many of `count` bytes fit at `offset` of a file of `size` bytes.
size_t fault_room(uint64_t offset, uint64_t size, size_t count);
/// Kills the process, if this is the call and the moment for it; to be asked before the call, amid it, and after.
/// `fault_turn` counts the call, and is true when it is the one.
bool fault_turn(uint32_t call);
void fault_kill_at(bool turn, uint64_t moment);

// The undo log: does nothing when there shall be none. Between `begin` and `end` no other thread changes a file.

void fault_undo_start(const char *path);
bool fault_undo_covers(struct fault_target target);
/// The number of a path, for `fault_target`.
uint32_t fault_undo_number(const char *path);
const char *fault_undo_path(uint32_t number);
void fault_undo_begin(void);
void fault_undo_end(void);
/// Returns the number of the change.
uint64_t fault_undo_change(struct fault_target target, int descriptor, uint64_t offset, uint64_t size, size_t count);
void fault_undo_changed(
    struct fault_target target, int descriptor, uint64_t sequence, uint64_t offset, size_t count);
uint64_t fault_undo_last(void);
void fault_undo_synced(struct fault_target target, uint64_t sequence, bool lost);
void fault_undo_created(const char *path);
void fault_undo_removing(const char *path);
void fault_undo_renaming(const char *from, const char *to);

#endif
