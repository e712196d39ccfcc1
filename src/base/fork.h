/* SPDX-License-Identifier: Apache-2.0 */
/* What crosses a fork(): nothing of SQLite, of a connection or of a lock. Stores join this guard;
 * fork() then waits until no operation runs, lets each member close what must not be copied, and
 * tells the child's copies to forget their parent. */
#ifndef DS_BASE_FORK_H
#define DS_BASE_FORK_H

#include <stdbool.h>
#include <stdint.h>

/* How long fork() waits for operations that run. */
enum { DS_FORK_WAIT_MS = 5000 };

/* Something that takes part in forks: embed it and fill in the functions, each may be NULL. They
 * run in the thread that forks while nobody else is inside an operation, and call neither join nor
 * leave. */
typedef struct ds__fork_member ds__fork_member;
struct ds__fork_member {
    /* Before; in the order of joining. `quiet` is false when an operation did not end in time: its
     * locks may be taken, and what it was changing half changed. */
    void (*prepare)(ds__fork_member *self, bool quiet);
    /* After, in the parent: undoes what prepare did, whatever that was. */
    void (*parent)(ds__fork_member *self);
    /* After, in the child, where no other thread exists: makes locks anew, forgets the parent's
     * things without closing them. `quiet` as above. */
    void (*child)(ds__fork_member *self, bool quiet);
    /* the guard's */
    ds__fork_member *prev;
    ds__fork_member *next;
};

/* Threads: any. The member stays where it is until it leaves. Leaving twice does nothing. */
void ds__fork_join(ds__fork_member *member);
void ds__fork_leave(ds__fork_member *member);

/* Brackets an operation: everything that calls SQLite or holds a lock of the engine is inside. Not
 * to be nested in one thread, but within a wait. `enter` waits while the process forks. What it
 * returns goes to `exit`, which does nothing in a child that was forked between the two. */
uint32_t ds__fork_enter(void);
void ds__fork_exit(uint32_t begun);

/* Brackets a wait within an operation: fork() does not wait for it. No lock is held, nothing is
 * half changed, SQLite is not between two of its own lines; with a connection taken the child will
 * be refused the file. `end` waits while the process forks. */
uint32_t ds__fork_wait_begin(void);
void ds__fork_wait_end(uint32_t begun);

/* Whether fork() waits for operations to end: those that only wait should step aside. */
bool ds__fork_pending(void);

/* How many forks lie between the first process and this one: what was made under another number is
 * the parent's. */
uint32_t ds__fork_generation(void);

#endif
