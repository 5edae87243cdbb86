/* Runs commands in turn and tells what each run cost.
 *
 *     spawn ROUNDS INPUT COMMAND [ARGUMENT…] [-- COMMAND [ARGUMENT…]]…
 *
 * Each command gets the file INPUT as its standard input; what it writes is thrown away. A line
 * for each run: which command, wall time in ns, processor time in us, greatest resident set in
 * KiB, exit code.
 *
 * In C, and with vfork, because a child's greatest resident set is counted from that of the
 * process it was forked from: this one is small.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long microseconds(struct timeval time)
{
    return time.tv_sec * 1000000L + time.tv_usec;
}

static int run(int number, char **command, const char *input)
{
    int in = open(input, O_RDONLY | O_CLOEXEC), out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (in < 0 || out < 0) {
        perror(input);
        return -1;
    }
    long long start = now();
    pid_t child = vfork();
    if (child == 0) {
        dup2(in, 0);
        dup2(out, 1);
        dup2(out, 2);
        execv(command[0], command);
        _exit(127);
    }
    int status;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) < 0) {
        perror(command[0]);
        return -1;
    }
    long long wall = now() - start;
    close(in);
    close(out);
    printf("%d %lld %ld %ld %d\n", number, wall,
           microseconds(usage.ru_utime) + microseconds(usage.ru_stime), usage.ru_maxrss,
           WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return 0;
}

int main(int count, char **words)
{
    if (count < 4) {
        fprintf(stderr, "usage: spawn ROUNDS INPUT COMMAND [ARGUMENT...] [-- COMMAND...]...\n");
        return 2;
    }
    for (int round = atoi(words[1]); round > 0; round--) {
        int number = 0, first = 3;
        for (int word = 3; word <= count; word++) {
            if (word < count && strcmp(words[word], "--") != 0)
                continue;
            char *separator = words[word];
            words[word] = NULL;
            if (run(number++, words + first, words[2]) < 0)
                return 1;
            words[word] = separator;
            first = word + 1;
        }
    }
    return 0;
}
