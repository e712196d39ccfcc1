/* SPDX-License-Identifier: Apache-2.0 */
/* On Linux with the GNU library. */
#include "base/system.h"

#ifdef DS_SYSTEM_LINUX

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

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

int ds__make_temp(char *name) {
    return mkostemp(name, O_CLOEXEC);
}

int ds__open_unnamed(const char *folder) {
    char name[512];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (fd < 0 && (size_t)snprintf(name, sizeof name, "%s/docstore-XXXXXX", folder) < sizeof name) {
        fd = ds__make_temp(name); /* file systems without unnamed files */
        if (fd >= 0) {
            unlink(name);
        }
    }
    return fd;
}

bool ds__shared_locks(ino_t file,
                      void (*each)(void *ctx, int64_t pid, uint64_t first, uint64_t last),
                      void *ctx) {
    char line[200];
    FILE *locks = fopen("/proc/locks", "re");
    while (locks && fgets(line, sizeof line, locks)) {
        long pid;
        unsigned long inode, first, last;
        if (sscanf(line, "%*d: POSIX %*s READ %ld %*x:%*x:%lu %lu %lu", &pid, &inode, &first,
                   &last) == 4 &&
            inode == file) {
            each(ctx, pid, first, last);
        }
    }
    if (locks) {
        fclose(locks);
    }
    return locks != NULL;
}

void ds__process_name(int64_t pid, char *out, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%lld/comm", (long long)pid);
    FILE *comm = fopen(path, "re");
    *out = 0;
    if (comm && fgets(out, (int)size, comm)) {
        out[strcspn(out, "\n")] = 0;
    }
    if (comm) {
        fclose(comm);
    }
}

void ds__release_memory(void) {
    malloc_trim(0);
}

void ds__keep_little_memory(void) {
    mallopt(M_MMAP_THRESHOLD, 512 * 1024);
    mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

size_t ds__processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

bool ds__is_first_thread(void) {
    return syscall(SYS_gettid) == getpid();
}

int ds__signal_wait(const sigset_t *signals, int64_t ms) {
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    const int signal = sigtimedwait(signals, NULL, &time);
    return signal > 0 ? signal : 0;
}

bool ds__system_random(void *bytes, size_t size) {
    return getrandom(bytes, size, 0) == (ssize_t)size;
}

int ds__socket(int family, bool blocking) {
    return socket(family, SOCK_STREAM | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), 0);
}

int ds__accept(int listener) {
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

ssize_t ds__send(int fd, const void *bytes, size_t size, bool more) {
    return send(fd, bytes, size, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
}

bool ds__hung_up(int fd) {
    struct pollfd polled = {.fd = fd, .events = POLLRDHUP};
    return poll(&polled, 1, 0) > 0 && (polled.revents & (POLLRDHUP | POLLHUP | POLLERR));
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
