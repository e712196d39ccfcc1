/* SPDX-License-Identifier: Apache-2.0 */
/* Elsewhere: POSIX and C alone. */
#include "base/system.h"

#ifndef DS_SYSTEM_LINUX

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/random.h>
#endif

enum { LOOK_US = 200, LOOK_MS = 20 }; /* between looks at a word, at signals */

const char *ds__system_error(int code) {
    static const struct {
        int code;
        const char *text;
    } texts[] = {{EPERM, "Operation not permitted"},
                 {ENOENT, "No such file or directory"},
                 {EINTR, "Interrupted system call"},
                 {EIO, "Input/output error"},
                 {EBADF, "Bad file descriptor"},
                 {EAGAIN, "Resource temporarily unavailable"},
                 {ENOMEM, "Cannot allocate memory"},
                 {EACCES, "Permission denied"},
                 {EEXIST, "File exists"},
                 {ENOTDIR, "Not a directory"},
                 {EISDIR, "Is a directory"},
                 {EINVAL, "Invalid argument"},
                 {ENFILE, "Too many open files in system"},
                 {EMFILE, "Too many open files"},
                 {EFBIG, "File too large"},
                 {ENOSPC, "No space left on device"},
                 {EROFS, "Read-only file system"},
                 {EPIPE, "Broken pipe"},
                 {ENAMETOOLONG, "File name too long"},
                 {ELOOP, "Too many levels of symbolic links"},
                 {EADDRINUSE, "Address already in use"},
                 {EADDRNOTAVAIL, "Cannot assign requested address"},
                 {ENETUNREACH, "Network is unreachable"},
                 {EHOSTUNREACH, "No route to host"},
                 {ECONNREFUSED, "Connection refused"},
                 {ECONNRESET, "Connection reset by peer"},
                 {ETIMEDOUT, "Connection timed out"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].code == code) {
            return texts[i].text;
        }
    }
    return "unknown error";
}

/* A sort in place: elements of any size, exchanged byte by byte. */
typedef struct heap {
    char *list;
    size_t size;
    int (*compare)(const void *a, const void *b, void *ctx);
    void *ctx;
} heap;

static void exchange(const heap *h, size_t i, size_t j) {
    char *a = h->list + i * h->size;
    char *b = h->list + j * h->size;
    for (size_t k = 0; k < h->size; k++) {
        char kept = a[k];
        a[k] = b[k];
        b[k] = kept;
    }
}

static void sink(const heap *h, size_t at, size_t count) {
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        const char *first = h->list + child * h->size;
        if (child + 1 < count && h->compare(first, first + h->size, h->ctx) < 0) {
            child++;
        }
        if (h->compare(h->list + at * h->size, h->list + child * h->size, h->ctx) >= 0) {
            return;
        }
        exchange(h, at, child);
    }
}

void ds__sort(void *list, size_t count, size_t size,
              int (*compare)(const void *a, const void *b, void *ctx), void *ctx) {
    const heap h = {list, size, compare, ctx};
    for (size_t i = count / 2; i-- > 0;) {
        sink(&h, i, count);
    }
    for (size_t n = count; n > 1; n--) {
        exchange(&h, 0, n - 1);
        sink(&h, 0, n - 1);
    }
}

const char *ds__find_or_end(const char *text, char c) {
    while (*text && *text != c) {
        text++;
    }
    return text;
}

int ds__rename_new(const char *from, const char *to) {
    (void)from, (void)to;
    errno = ENOTSUP;
    return -1;
}

int ds__make_temp(char *name) {
    const int fd = mkstemp(name);
    if (fd >= 0) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    return fd;
}

int ds__open_unnamed(const char *folder) {
    char name[512];
    if ((size_t)snprintf(name, sizeof name, "%s/docstore-XXXXXX", folder) >= sizeof name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    const int fd = ds__make_temp(name);
    if (fd >= 0) {
        unlink(name);
    }
    return fd;
}

bool ds__shared_locks(ino_t file,
                      void (*each)(void *ctx, int64_t pid, uint64_t first, uint64_t last),
                      void *ctx) {
    (void)file, (void)each, (void)ctx;
    return false;
}

void ds__process_name(int64_t pid, char *out, size_t size) {
    (void)pid, (void)size;
    *out = 0;
}

void ds__release_memory(void) {
}

void ds__keep_little_memory(void) {
}

size_t ds__processors(void) {
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (size_t)n : 1;
}

static bool prepare(int fd) {
    const int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* Set once before main, and in a child by the thread that forked. */
static pthread_t first_thread;

static void note_thread(void) {
    first_thread = pthread_self();
}

__attribute__((constructor)) static void begin(void) {
    note_thread();
    pthread_atfork(NULL, NULL, note_thread);
}

bool ds__is_first_thread(void) {
    return pthread_equal(pthread_self(), first_thread);
}

int ds__signal_wait(const sigset_t *signals, int64_t ms) {
    for (;; ms -= LOOK_MS) {
        sigset_t pending;
        sigpending(&pending);
        for (int i = 1; i < NSIG; i++) {
            if (sigismember(signals, i) == 1 && sigismember(&pending, i) == 1) {
                sigset_t one;
                int signal = 0;
                sigemptyset(&one);
                sigaddset(&one, i);
                sigwait(&one, &signal);
                return signal;
            }
        }
        if (ms <= 0) {
            return 0;
        }
        usleep((useconds_t)(ms < LOOK_MS ? ms : LOOK_MS) * 1000);
    }
}

bool ds__system_random(void *bytes, size_t size) {
    return getentropy(bytes, size) == 0;
}

/* A descriptor, or none, as sockets are to be. */
static int as_socket(int fd, bool blocking) {
    if (fd < 0) {
        return -1;
    }
    const int flags = fcntl(fd, F_GETFL);
    bool ok = flags >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
              fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) == 0;
#ifdef SO_NOSIGPIPE
    const int one = 1;
    ok = ok && setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &one, sizeof one) == 0;
#endif
    if (!ok) {
        const int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

int ds__socket(int family, bool blocking) {
    return as_socket(socket(family, SOCK_STREAM, 0), blocking);
}

int ds__accept(int listener) {
    return as_socket(accept(listener, NULL, NULL), true);
}

ssize_t ds__send(int fd, const void *bytes, size_t size, bool more) {
    (void)more;
#ifdef MSG_NOSIGNAL
    return send(fd, bytes, size, MSG_NOSIGNAL);
#else
    return send(fd, bytes, size, 0); /* SO_NOSIGPIPE */
#endif
}

bool ds__hung_up(int fd) {
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    char byte;
    return poll(&polled, 1, 0) > 0 &&
           ((polled.revents & (POLLHUP | POLLERR)) ||
            ((polled.revents & POLLIN) && recv(fd, &byte, 1, MSG_PEEK) == 0));
}

bool ds__bell_open(ds__bell *bell) {
    int ends[2];
    bell->reads = bell->writes = -1;
    if (pipe(ends) != 0) {
        return false;
    }
    bell->reads = ends[0];
    bell->writes = ends[1];
    if (!prepare(ends[0]) || !prepare(ends[1])) {
        const int why = errno;
        ds__bell_close(bell);
        errno = why;
        return false;
    }
    return true;
}

void ds__bell_ring(const ds__bell *bell) {
    const int before = errno;
    if (write(bell->writes, "!", 1) < 0) {
        errno = before; /* it is rung already */
    }
}

void ds__bell_close(ds__bell *bell) {
    if (bell->reads >= 0) {
        close(bell->reads);
        close(bell->writes);
    }
    bell->reads = bell->writes = -1;
}

void ds__word_wait(uint32_t *word, uint32_t seen, uint32_t bits, int64_t us) {
    (void)bits;
    for (int64_t step; us > 0 && __atomic_load_n(word, __ATOMIC_ACQUIRE) == seen; us -= step) {
        step = us < LOOK_US ? us : LOOK_US;
        usleep((useconds_t)step);
    }
}

void ds__word_wake(uint32_t *word, uint32_t bits) {
    (void)word, (void)bits;
}

#else
typedef int ds__system_is_linux; /* a file must not be empty */
#endif
