/* SPDX-License-Identifier: Apache-2.0 */
/* On Linux with the GNU library. */
#include "base/system.h"

#ifdef DS_SYSTEM_LINUX

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <malloc.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { POPULATE_READ = 22 }; /* since Linux 5.14; older headers lack its name */

const char *ds__system_error(int code) {
    const char *text = strerrordesc_np(code);
    return text ? text : "unknown error";
}

void ds__sort(void *list, size_t count, size_t size,
              int (*compare)(const void *a, const void *b, void *ctx), void *ctx) {
    qsort_r(list, count, size, compare, ctx);
}

const char *ds__find_or_end(const char *text, char c) {
    return strchrnul(text, c);
}

int ds__rename_new(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

void ds__release_memory(void) {
    malloc_trim(0);
}

void ds__keep_little_memory(void) {
    mallopt(M_MMAP_THRESHOLD, 512 * 1024);
    mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

bool ds__populate(const void *at, size_t size) {
    return madvise((void *)(uintptr_t)at, size, POPULATE_READ) == 0;
}

size_t ds__processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

bool ds__bell_open(ds__bell *bell) {
    bell->reads = bell->writes = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return bell->reads >= 0;
}

void ds__bell_ring(const ds__bell *bell) {
    const uint64_t one = 1;
    const int before = errno;
    if (write(bell->writes, &one, sizeof one) < 0) {
        errno = before; /* it is rung already */
    }
}

void ds__bell_close(ds__bell *bell) {
    if (bell->reads >= 0) {
        close(bell->reads);
    }
    bell->reads = bell->writes = -1;
}

void ds__word_wait(uint32_t *word, uint32_t seen, uint32_t bits, int64_t us) {
    struct timespec until;
    const int before = errno;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t ns = until.tv_nsec + us % 1000000 * 1000;
    until.tv_sec += us / 1000000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET, seen, &until, NULL, bits) != 0 &&
        errno != EAGAIN && errno != EINTR && errno != ETIMEDOUT) {
        usleep(us < 1000 ? (useconds_t)us : 1000); /* not allowed here */
    }
    errno = before;
}

void ds__word_wake(uint32_t *word, uint32_t bits) {
    const int before = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_BITSET, INT_MAX, NULL, NULL, bits);
    errno = before;
}

#else
typedef int ds__system_is_portable; /* a file must not be empty */
#endif
