/*
 * Disk faults for one process, by LD_PRELOAD. Test only.
 *
 * Counts the writes, syncs, truncations and renames that touch files below a folder, and makes the chosen ones fail or
 * kills the process at one. With INTERPOSE_POWER, whatever ends the process is a power cut: bytes that journals and
 * SQLite's log got since their last good sync are dropped. Bytes whose sync failed are never synced again unless they
 * are written again, as on Linux, where a failed fsync marks its pages clean.
 *
 *   INTERPOSE_DIR    the folder
 *   INTERPOSE_AT     the first operation that meets the fault, from 1; 0 only counts
 *   INTERPOSE_LAST   the last one
 *   INTERPOSE_MODE   fail; half (a write at AT is cut short, later ones fail); kill; killhalf (half a write, then kill)
 *   INTERPOSE_SWAP   writes fail with EIO and syncs with ENOSPC, instead of the other way round
 *   INTERPOSE_POWER  see above
 *
 * Each fault says "FAULT <n> <operation> <path>" on standard output, and a process that ends says "COUNT <n>".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off64_t);
typedef int (*sync_fn)(int);
typedef int (*truncate_fn)(int, off64_t);
typedef int (*truncate_path_fn)(const char *, off64_t);
typedef int (*rename_fn)(const char *, const char *);

static write_fn real_write;
static pwrite_fn real_pwrite;
static sync_fn real_fsync, real_fdatasync;
static truncate_fn real_ftruncate;
static truncate_path_fn real_truncate;
static rename_fn real_rename;

static char dir[PATH_MAX];
static long at, last, count;
static int swap, power;
static enum { FAIL, HALF, KILL, KILL_HALF } mode;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* A file whose unsynced bytes a power cut drops. */
struct tracked {
    dev_t dev;
    ino_t ino;
    char path[PATH_MAX];
    off64_t synced;           /* this much is on the disk */
    off64_t lost_lo, lost_hi; /* a failed sync lost these bytes, until they are written again */
};
static struct tracked files[64];
static int files_len;

static long number(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text ? atol(text) : otherwise;
}

__attribute__((constructor)) static void start(void) {
    real_write = (write_fn)dlsym(RTLD_NEXT, "write");
    real_pwrite = (pwrite_fn)dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = (sync_fn)dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (sync_fn)dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = (truncate_fn)dlsym(RTLD_NEXT, "ftruncate64");
    real_truncate = (truncate_path_fn)dlsym(RTLD_NEXT, "truncate64");
    real_rename = (rename_fn)dlsym(RTLD_NEXT, "rename");
    const char *text = getenv("INTERPOSE_DIR");
    if (text == NULL || realpath(text, dir) == NULL)
        dir[0] = 0;
    at = number("INTERPOSE_AT", 0);
    last = number("INTERPOSE_LAST", at);
    swap = number("INTERPOSE_SWAP", 0) != 0;
    power = number("INTERPOSE_POWER", 0) != 0;
    text = getenv("INTERPOSE_MODE");
    if (text != NULL)
        mode = !strcmp(text, "half") ? HALF : !strcmp(text, "kill") ? KILL : !strcmp(text, "killhalf") ? KILL_HALF : FAIL;
}

static void say(const char *format, ...) {
    char line[PATH_MAX + 64];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    ssize_t ignored = real_write(STDOUT_FILENO, line, (size_t)size);
    (void)ignored;
}

static void cut_power(void) {
    for (int i = 0; power && i < files_len; i++) {
        struct stat64 now;
        /* The path may name another file by now, or none. */
        if (stat64(files[i].path, &now) == 0 && now.st_ino == files[i].ino && now.st_size > files[i].synced)
            real_truncate(files[i].path, files[i].synced);
    }
}

__attribute__((destructor)) static void stop(void) {
    if (dir[0] == 0)
        return;
    cut_power();
    say("COUNT %ld\n", count);
}

static void die(void) {
    cut_power();
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Whether the descriptor's file lies below the folder; gives its path. */
static int is_ours(int fd, char *path) {
    char link[64];
    if (dir[0] == 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    if (size < 0)
        return 0;
    path[size] = 0;
    size_t length = strlen(dir);
    return strncmp(path, dir, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static struct tracked *track(int fd, const char *path) {
    struct stat64 now;
    size_t length = strlen(path);
    int is_log = length > 4 && strcmp(path + length - 4, "-wal") == 0;
    if ((!is_log && strstr(path, "/sessions/") == NULL) || fstat64(fd, &now) != 0 || !S_ISREG(now.st_mode))
        return NULL;
    struct tracked *file = NULL;
    for (int i = 0; i < files_len; i++)
        if (files[i].dev == now.st_dev && files[i].ino == now.st_ino)
            file = &files[i];
    if (file == NULL && files_len < (int)(sizeof files / sizeof *files)) {
        file = &files[files_len++];
        file->dev = now.st_dev;
        file->ino = now.st_ino;
        file->synced = now.st_size;
    }
    if (file == NULL)
        abort();
    strcpy(file->path, path);
    /* A file that is smaller than it was is another one with the same number. */
    if (now.st_size < file->synced)
        file->synced = now.st_size;
    return file;
}

static void wrote(struct tracked *file, off64_t from, ssize_t size) {
    if (file == NULL || size <= 0 || from > file->lost_lo || file->lost_lo >= file->lost_hi)
        return;
    if (from + size > file->lost_lo)
        file->lost_lo = from + size;
}

static void synced(struct tracked *file, int fd, int result) {
    struct stat64 now;
    if (file == NULL || fstat64(fd, &now) != 0)
        return;
    int has_lost = file->lost_lo < file->lost_hi;
    if (result == 0) {
        file->synced = has_lost ? file->lost_lo : now.st_size;
    } else if (now.st_size > file->synced) {
        file->lost_lo = file->synced;
        file->lost_hi = now.st_size;
    }
}

static void truncated(struct tracked *file, off64_t size) {
    if (file == NULL)
        return;
    if (file->synced > size)
        file->synced = size;
    if (file->lost_hi > size)
        file->lost_hi = size;
}

/* Counts an operation; nonzero when it meets the fault. */
static int strikes(const char *operation, const char *path) {
    count++;
    if (at == 0 || count < at || count > last)
        return 0;
    say("FAULT %ld %s %s\n", count, operation, path);
    if (mode == KILL)
        die();
    return 1;
}

static int refuse(int is_write) {
    errno = (is_write != swap) ? ENOSPC : EIO;
    return -1;
}

static ssize_t do_write(int fd, const void *bytes, size_t size, off64_t offset, int is_positioned) {
    char path[PATH_MAX];
    if (!is_ours(fd, path))
        return is_positioned ? real_pwrite(fd, bytes, size, offset) : real_write(fd, bytes, size);
    pthread_mutex_lock(&one_at_a_time);
    struct tracked *file = track(fd, path);
    if (!is_positioned) {
        struct stat64 now;
        fstat64(fd, &now);
        offset = (fcntl(fd, F_GETFL) & O_APPEND) ? now.st_size : lseek64(fd, 0, SEEK_CUR);
    }
    ssize_t result;
    int is_struck = strikes("write", path);
    int is_halved = is_struck && (mode == KILL_HALF || (mode == HALF && count == at && size > 1));
    if (is_struck && !is_halved) {
        result = refuse(1);
    } else {
        size_t part = is_halved ? size / 2 : size;
        result = is_positioned ? real_pwrite(fd, bytes, part, offset) : real_write(fd, bytes, part);
        wrote(file, offset, result);
        if (is_struck && mode == KILL_HALF)
            die();
    }
    int error = errno;
    pthread_mutex_unlock(&one_at_a_time);
    errno = error;
    return result;
}

static int do_sync(int fd, sync_fn real) {
    char path[PATH_MAX];
    if (!is_ours(fd, path))
        return real(fd);
    pthread_mutex_lock(&one_at_a_time);
    struct tracked *file = track(fd, path);
    if (strikes("sync", path) && mode == KILL_HALF)
        die();
    int result = (at != 0 && count >= at && count <= last) ? refuse(0) : real(fd);
    int error = errno;
    synced(file, fd, result);
    pthread_mutex_unlock(&one_at_a_time);
    errno = error;
    return result;
}

ssize_t write(int fd, const void *bytes, size_t size) { return do_write(fd, bytes, size, 0, 0); }
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset) { return do_write(fd, bytes, size, offset, 1); }
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) { return do_write(fd, bytes, size, offset, 1); }
int fsync(int fd) { return do_sync(fd, real_fsync); }
int fdatasync(int fd) { return do_sync(fd, real_fdatasync); }

int ftruncate64(int fd, off64_t size) {
    char path[PATH_MAX];
    if (!is_ours(fd, path))
        return real_ftruncate(fd, size);
    pthread_mutex_lock(&one_at_a_time);
    struct tracked *file = track(fd, path);
    int is_struck = strikes("truncate", path);
    if (is_struck && mode == KILL_HALF)
        die();
    int result = is_struck ? refuse(0) : real_ftruncate(fd, size);
    int error = errno;
    if (result == 0)
        truncated(file, size);
    pthread_mutex_unlock(&one_at_a_time);
    errno = error;
    return result;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int rename(const char *from, const char *to) {
    if (dir[0] == 0 || strncmp(to, dir, strlen(dir)) != 0)
        return real_rename(from, to);
    pthread_mutex_lock(&one_at_a_time);
    int is_struck = strikes("rename", to);
    if (is_struck && mode == KILL_HALF)
        die();
    int result = is_struck ? refuse(0) : real_rename(from, to);
    int error = errno;
    pthread_mutex_unlock(&one_at_a_time);
    errno = error;
    return result;
}

/* Copies inside the kernel are not offered, so that every copied byte passes through write. */
ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t size, unsigned flags) {
    (void)in, (void)in_at, (void)out, (void)out_at, (void)size, (void)flags;
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile64(int out, int in, off64_t *at_offset, size_t size) {
    (void)out, (void)in, (void)at_offset, (void)size;
    errno = ENOSYS;
    return -1;
}
