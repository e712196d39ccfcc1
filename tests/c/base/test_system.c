/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in for Linux's own functions does as they do. Built twice: as the library is, and
 * with DS_PORTABLE and the twin's source. */
#include "base/cond.h"
#include "base/system.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static int compare(const void *a, const void *b, void *ctx) {
    const uint32_t *x = a;
    const uint32_t *y = b;
    ++*(size_t *)ctx;
    return (x[0] > y[0]) - (x[0] < y[0]);
}

/* Random lists of elements of 12 bytes, with many equal ones: in order, and the same elements. */
static void lists_are_sorted_with_a_context(void **state) {
    (void)state;
    uint32_t seed = 12345;
    for (size_t count = 0; count < 200; count++) {
        uint32_t list[200][3];
        uint32_t sum = 0;
        size_t compared = 0;
        for (size_t i = 0; i < count; i++) {
            seed = seed * 1664525 + 1013904223;
            list[i][0] = (seed >> 16) % 50;
            list[i][1] = list[i][0] * 7;
            list[i][2] = seed;
            sum += seed;
        }
        ds__sort(list, count, sizeof *list, compare, &compared);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(list[i][1], list[i][0] * 7);
            assert_true(i == 0 || list[i - 1][0] <= list[i][0]);
            sum -= list[i][2];
        }
        assert_int_equal(sum, 0);
        assert_true(count < 2 || compared >= count - 1);
    }
}

static void a_letter_is_found_or_the_end(void **state) {
    (void)state;
    const char *text = "a.b";
    assert_ptr_equal(ds__find_or_end(text, '.'), text + 1);
    assert_ptr_equal(ds__find_or_end(text, 'z'), text + 3);
    assert_ptr_equal(ds__find_or_end(text, 0), text + 3);
}

/* Clients and logs see these texts: the same everywhere. */
static void errors_have_the_words_of_the_gnu_library(void **state) {
    (void)state;
    static const int codes[] = {EPERM,  ENOENT,     EINTR,      EIO,       EBADF,       EAGAIN,
                                ENOMEM, EACCES,     EEXIST,     ENOTDIR,   EISDIR,      EINVAL,
                                ENFILE, EMFILE,     EFBIG,      ENOSPC,    EROFS,       EPIPE,
                                ELOOP,  EADDRINUSE, ECONNRESET, ETIMEDOUT, ECONNREFUSED};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        assert_string_equal(ds__system_error(codes[i]), strerror(codes[i]));
    }
    assert_non_null(ds__system_error(99999));
}

static bool is_rung(const ds__bell *bell) {
    struct pollfd fd = {.fd = bell->reads, .events = POLLIN};
    return poll(&fd, 1, 0) == 1 && (fd.revents & POLLIN);
}

static void a_bell_stays_rung(void **state) {
    (void)state;
    ds__bell bell;
    assert_true(ds__bell_open(&bell));
    assert_false(is_rung(&bell));
    for (int i = 0; i < 100000; i++) { /* more than a pipe holds: never waits */
        ds__bell_ring(&bell);
    }
    assert_true(is_rung(&bell));
    ds__bell_close(&bell);
    assert_int_equal(bell.reads, -1);
    ds__bell_close(&bell);
}

/* What is meant to be compiled is: a source that compiles to nothing leaves the work to the twin.
 */
static void each_build_has_its_own_functions(void **state) {
    (void)state;
    ds__bell bell;
    assert_true(ds__bell_open(&bell));
#if defined(__linux__) && defined(__GLIBC__) && !defined(DS_PORTABLE)
    assert_int_equal(bell.reads, bell.writes); /* eventfd */
#else
    assert_int_not_equal(bell.reads, bell.writes); /* a pipe */
#endif
    ds__bell_close(&bell);
}

static void a_name_that_is_taken_is_not_replaced(void **state) {
    (void)state;
    char from[] = "/tmp/docstore-system-XXXXXX";
    char to[] = "/tmp/docstore-system-XXXXXX";
    close(mkstemp(from));
    close(mkstemp(to));
    assert_int_equal(ds__rename_new(from, to), -1);
    assert_true(errno == EEXIST || errno == ENOTSUP || errno == EINVAL);
    assert_int_equal(access(from, F_OK), 0);
    unlink(from);
    unlink(to);
    ds__release_memory();
}

static void *wake_later(void *word) {
    usleep(20000);
    __atomic_store_n((uint32_t *)word, 1, __ATOMIC_RELEASE);
    ds__word_wake(word, 2);
    return NULL;
}

static void a_word_is_waited_for(void **state) {
    (void)state;
    static uint32_t word;
    pthread_t thread;
    ds__word_wait(&word, 1, 1, 60000000); /* it is another already */
    ds__word_wait(&word, 0, 1, 1000);     /* nobody wakes */
    assert_int_equal(pthread_create(&thread, NULL, wake_later, &word), 0);
    while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0) {
        ds__word_wait(&word, 0, 2, 60000000);
    }
    pthread_join(thread, NULL);
}

static void assert_closed_on_exec(int fd) {
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void temporary_files_are_closed_on_exec(void **state) {
    (void)state;
    char name[] = "/tmp/docstore-system-XXXXXX";
    struct stat st;
    int fd = ds__make_temp(name);
    assert_closed_on_exec(fd);
    assert_int_equal(access(name, F_OK), 0);
    close(fd);
    unlink(name);
    fd = ds__open_unnamed("/tmp");
    assert_closed_on_exec(fd);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_int_equal(ds__open_unnamed("/tmp/docstore-is-not-there"), -1);
    assert_int_equal(errno, ENOENT);
}

/* A listening socket at a name, and one that is connected to it. */
static void connect_pair(int *listener, int *client, int *server) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "/tmp/docstore-system-%ld", (long)getpid());
    unlink(at.sun_path);
    *listener = ds__socket(AF_UNIX, false);
    assert_closed_on_exec(*listener);
    assert_true(fcntl(*listener, F_GETFL) & O_NONBLOCK);
    assert_int_equal(bind(*listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(*listener, 1), 0);
    assert_int_equal(ds__accept(*listener), -1); /* nobody there */
    assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
    *client = ds__socket(AF_UNIX, true);
    assert_closed_on_exec(*client);
    assert_false(fcntl(*client, F_GETFL) & O_NONBLOCK);
    assert_int_equal(connect(*client, (struct sockaddr *)&at, sizeof at), 0);
    *server = ds__accept(*listener);
    assert_closed_on_exec(*server);
    assert_false(fcntl(*server, F_GETFL) & O_NONBLOCK);
    unlink(at.sun_path);
}

static void sockets_tell_of_a_client_that_is_gone(void **state) {
    (void)state;
    int listener, client, server;
    char bytes[4];
    connect_pair(&listener, &client, &server);
    assert_false(ds__hung_up(server));
    assert_int_equal(ds__send(client, "ab", 2, true), 2);
    assert_int_equal(ds__send(client, "c", 1, false), 1);
    assert_false(ds__hung_up(server));
    assert_int_equal(recv(server, bytes, 3, MSG_WAITALL), 3);
    assert_memory_equal(bytes, "abc", 3);
    shutdown(client, SHUT_WR);
    assert_true(ds__hung_up(server));
    assert_int_equal(ds__send(server, "x", 1, false), 1); /* it may still read */
    close(client);
    assert_true(ds__hung_up(server));
    assert_int_equal(ds__send(server, "x", 1, false), -1); /* and no SIGPIPE */
    assert_int_equal(errno, EPIPE);
    close(server);
    close(listener);
}

static void *ask_thread(void *out) {
    *(bool *)out = ds__is_first_thread();
    return NULL;
}

static void *fork_and_ask(void *out) {
    const pid_t child = fork();
    int status = 0;
    if (child == 0) {
        _exit(ds__is_first_thread() ? 7 : 8);
    }
    waitpid(child, &status, 0);
    *(bool *)out = WIFEXITED(status) && WEXITSTATUS(status) == 7;
    return NULL;
}

static void the_first_thread_is_known(void **state) {
    (void)state;
    pthread_t thread;
    bool said = true;
    assert_true(ds__is_first_thread());
    assert_int_equal(pthread_create(&thread, NULL, ask_thread, &said), 0);
    pthread_join(thread, NULL);
    assert_false(said);
    assert_int_equal(pthread_create(&thread, NULL, fork_and_ask, &said), 0);
    pthread_join(thread, NULL);
    assert_true(said); /* the one that forked is the child's first */
}

static void signals_are_waited_for(void **state) {
    (void)state;
    sigset_t waited, before;
    sigemptyset(&waited);
    sigaddset(&waited, SIGUSR1);
    sigaddset(&waited, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &waited, &before);
    assert_int_equal(ds__signal_wait(&waited, 1), 0);
    kill(getpid(), SIGUSR2);
    assert_int_equal(ds__signal_wait(&waited, 60000), SIGUSR2);
    assert_int_equal(ds__signal_wait(&waited, 1), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void random_bytes_differ(void **state) {
    (void)state;
    uint8_t a[256] = {0}, b[256] = {0};
    assert_true(ds__system_random(a, sizeof a));
    assert_true(ds__system_random(b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
}

typedef struct seen_locks {
    int64_t pid;
    uint64_t first;
    uint64_t last;
} seen_locks;

static void note_lock(void *ctx, int64_t pid, uint64_t first, uint64_t last) {
    *(seen_locks *)ctx = (seen_locks){pid, first, last};
}

static void shared_locks_have_their_process(void **state) {
    (void)state;
    char path[] = "/tmp/docstore-system-XXXXXX";
    char name[64];
    seen_locks seen = {0};
    struct stat st;
    const int fd = ds__make_temp(path);
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 120, .l_len = 3};
    assert_int_equal(fcntl(fd, F_SETLK, &lock), 0);
    assert_int_equal(fstat(fd, &st), 0);
    if (ds__shared_locks(st.st_ino, note_lock, &seen)) {
        assert_int_equal(seen.pid, getpid());
        assert_int_equal(seen.first, 120);
        assert_int_equal(seen.last, 122);
    }
    ds__process_name(getpid(), name, sizeof name);
    assert_true(!*name || strncmp(name, "base_test_system", 15) == 0);
    close(fd);
    unlink(path);
}

static void *signal_later(void *ctx) {
    usleep(20000);
    pthread_mutex_lock(((void **)ctx)[0]);
    *(bool *)((void **)ctx)[2] = true;
    pthread_cond_signal(((void **)ctx)[1]);
    pthread_mutex_unlock(((void **)ctx)[0]);
    return NULL;
}

static int64_t mono_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void a_condition_is_waited_for(void **state) {
    (void)state;
    pthread_mutex_t lock;
    pthread_cond_t cond, other;
    pthread_t thread;
    bool done = false;
    ds__cond_init(&lock, &cond);
    ds__cond_init(NULL, &other);
    pthread_mutex_lock(&lock);
    assert_false(ds__cond_wait(&other, &lock, 0)); /* long over */
    const int64_t until = mono_ms() + 30;
    while (ds__cond_wait(&other, &lock, until)) {
    }
    assert_true(mono_ms() >= until);
    assert_int_equal(pthread_create(&thread, NULL, signal_later, (void *[]){&lock, &cond, &done}),
                     0);
    while (!done) {
        assert_true(ds__cond_wait(&cond, &lock, mono_ms() + 60000));
    }
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&cond);
    pthread_cond_destroy(&other);
    pthread_mutex_destroy(&lock);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_sorted_with_a_context),
        cmocka_unit_test(a_letter_is_found_or_the_end),
        cmocka_unit_test(errors_have_the_words_of_the_gnu_library),
        cmocka_unit_test(a_bell_stays_rung),
        cmocka_unit_test(each_build_has_its_own_functions),
        cmocka_unit_test(a_name_that_is_taken_is_not_replaced),
        cmocka_unit_test(a_word_is_waited_for),
        cmocka_unit_test(temporary_files_are_closed_on_exec),
        cmocka_unit_test(sockets_tell_of_a_client_that_is_gone),
        cmocka_unit_test(the_first_thread_is_known),
        cmocka_unit_test(signals_are_waited_for),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(shared_locks_have_their_process),
        cmocka_unit_test(a_condition_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
