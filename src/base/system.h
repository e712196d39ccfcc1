/* SPDX-License-Identifier: Apache-2.0 */
/* What the C library has on Linux only. Elsewhere, and with DS_PORTABLE, a twin of our own does the
 * same (system_portable.c); a test runs both. Threads: any. */
#ifndef DS_BASE_SYSTEM_H
#define DS_BASE_SYSTEM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h> /* with it comes __GLIBC__ */
#include <sys/types.h>

#if defined(__linux__) && defined(__GLIBC__) && !defined(DS_PORTABLE)
#define DS_SYSTEM_LINUX
#endif

/* What an errno means, in English; never NULL. Lifetime: the program's. */
const char *ds__system_error(int code);

/* qsort with a context. Equal elements come in no certain order. */
void ds__sort(void *list, size_t count, size_t size,
              int (*compare)(const void *a, const void *b, void *ctx), void *ctx);

/* The first `c` in a text, or its end. */
const char *ds__find_or_end(const char *text, char c);

/* Renames a file unless the new name is taken (EEXIST). 0, or -1 with errno; ENOTSUP where the
 * system cannot. */
int ds__rename_new(const char *from, const char *to);

/* As mkstemp, for a file that is closed on exec. */
int ds__make_temp(char *name);
/* Opens a file that has no name in a folder, to read and write; -1 with errno. */
int ds__open_unnamed(const char *folder);

/* Tells of every lock that a process, this one too, shares on a file's bytes. False where the
 * system does not say. */
bool ds__shared_locks(ino_t file,
                      void (*each)(void *ctx, int64_t pid, uint64_t first, uint64_t last),
                      void *ctx);
/* A process by its program's name; empty where the system does not say. */
void ds__process_name(int64_t pid, char *out, size_t size);

/* Gives memory that was freed back to the system, where the library keeps it. */
void ds__release_memory(void);
/* Tells the library to do so by itself from a megabyte on: for programs whose threads come and go.
 */
void ds__keep_little_memory(void);

/* How many processors this process may use; at least 1. */
size_t ds__processors(void);

/* Whether this is the thread that began the program, or that forked: it runs Python's handlers. */
bool ds__is_first_thread(void);

/* Waits for one of these signals, which are blocked, for `ms`; 0 when none came. */
int ds__signal_wait(const sigset_t *signals, int64_t ms);

/* Fills with bytes nobody can foretell: at most 256. */
bool ds__system_random(void *bytes, size_t size);

/* Sockets of streams: closed on exec, and sending to one that is closed raises no signal. -1 with
 * errno. */
int ds__socket(int family, bool blocking);
int ds__accept(int listener); /* its calls wait */
/* As send; `more` comes at once. */
ssize_t ds__send(int fd, const void *bytes, size_t size, bool more);
/* Whether the other side sends no more; where the system cannot look past what is still unread,
 * that is read first. */
bool ds__hung_up(int fd);

/* Wakes threads that poll: once rung, `reads` stays readable. Zero is not open: -1 is. */
typedef struct ds__bell {
    int reads;
    int writes; /* may be the same */
} ds__bell;

/* False, with errno. */
bool ds__bell_open(ds__bell *bell);
/* May be called in a signal's handler. */
void ds__bell_ring(const ds__bell *bell);
void ds__bell_close(ds__bell *bell);

/* Waits while a word, which processes may share, is what was `seen`: until somebody wakes those who
 * wait with one of these `bits`, or `us` microseconds. May end without a reason, and later than
 * woken, by a fifth of a millisecond, where the system cannot wake. */
void ds__word_wait(uint32_t *word, uint32_t seen, uint32_t bits, int64_t us);
void ds__word_wake(uint32_t *word, uint32_t bits);

#endif
