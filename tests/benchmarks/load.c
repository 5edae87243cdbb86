/* Sends HTTP requests on kept connections, and says how many were answered and how soon.
 *
 *     load ADDRESS PATH CONNECTIONS SECONDS RATE SESSIONS
 *
 * ADDRESS is unix:PATH or a port of the loopback interface. Each request has the cookie
 * `sessionid=N`, 32 digits, with N below SESSIONS at random, or always 1234 where SESSIONS is 1.
 * With RATE 0 each connection sends its next request as soon as the last one is answered. Otherwise
 * RATE requests a second are due, evenly; one that finds no connection free waits, and its time runs
 * from the moment at which it was due. Prints requests a second, and the median and the 99th
 * percentile of the time to an answer in microseconds. Every answer must be 200 or 204.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST = 16384, EVENTS = 64, BUCKETS = 1 << 20 };

struct connection {
    int socket, length;
    long long due;
    char received[LONGEST];
};

static const char *path;
static unsigned long sessions, random_state = 88172645463325252UL;
/* How many answers took as many microseconds; the last, as many or more. */
static unsigned counts[BUCKETS];

static void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "unexpected");
    exit(1);
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int connected(const char *address)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_port = htons(atoi(address)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *where = (struct sockaddr *)&loopback;
    socklen_t length = sizeof loopback;
    if (strncmp(address, "unix:", 5) == 0) {
        strncpy(local.sun_path, address + 5, sizeof local.sun_path - 1);
        where = (struct sockaddr *)&local;
        length = sizeof local;
    }
    int result = socket(where->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (result < 0 || connect(result, where, length) < 0)
        fail(address);
    setsockopt(result, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return result;
}

static void ask(struct connection *connection, long long due)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    unsigned long number = sessions == 1 ? 1234 : random_state % sessions;
    char request[512];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: localhost\r\nCookie: sessionid=%032lu\r\n\r\n",
                          path, number);
    connection->due = due;
    connection->length = 0;
    if (send(connection->socket, request, length, MSG_NOSIGNAL) != length)
        fail("send");
}

/* Receives; returns whether the answer is complete. */
static bool answered(struct connection *connection)
{
    char *text = connection->received;
    ssize_t count = recv(connection->socket, text + connection->length,
                         LONGEST - 1 - connection->length, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN)
        return false;
    if (count <= 0)
        fail("recv");
    connection->length += count;
    text[connection->length] = 0;
    char *end = strstr(text, "\r\n\r\n");
    if (!end)
        return false;
    if (strncmp(text, "HTTP/1.1 200", 12) && strncmp(text, "HTTP/1.1 204", 12)) {
        errno = 0;
        fail(text);
    }
    char *length = strcasestr(text, "\r\ncontent-length:");
    long body = length && length < end ? atol(length + 17) : 0;
    return connection->length >= end + 4 - text + body;
}

static long percentile(unsigned long total, double part)
{
    unsigned long seen = 0;
    for (long time = 0; time < BUCKETS; time++)
        if ((seen += counts[time]) > total * part)
            return time;
    return BUCKETS;
}

int main(int count, char **words)
{
    if (count != 7) {
        fprintf(stderr, "usage: load ADDRESS PATH CONNECTIONS SECONDS RATE SESSIONS\n");
        return 2;
    }
    path = words[2];
    int connections = atoi(words[3]), free_count = 0, epoll = epoll_create1(EPOLL_CLOEXEC);
    double seconds = atof(words[4]), rate = atof(words[5]);
    sessions = strtoul(words[6], NULL, 10);
    struct connection *all = calloc(connections, sizeof *all);
    struct connection **free_ones = calloc(connections, sizeof *free_ones);
    for (int number = 0; number < connections; number++) {
        all[number].socket = connected(words[1]);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[number]};
        epoll_ctl(epoll, EPOLL_CTL_ADD, all[number].socket, &event);
        free_ones[free_count++] = &all[number];
    }
    long long start = now(), end = start + seconds * 1e9, time = start, next = start;
    unsigned long sent = 0, done = 0;
    while (time < end) {
        while (free_count && next <= time) {
            ask(free_ones[--free_count], rate ? next : time);
            next = rate ? start + ++sent * 1e9 / rate : time;
        }
        long long wait = rate && free_count ? next - time : end - time;
        struct timespec timeout = {.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
        struct epoll_event events[EVENTS];
        int ready = epoll_pwait2(epoll, events, EVENTS, &timeout, NULL);
        time = now();
        for (int number = 0; number < ready; number++) {
            struct connection *connection = events[number].data.ptr;
            if (!answered(connection))
                continue;
            long long took = (time - connection->due) / 1000;
            counts[took < BUCKETS ? took : BUCKETS - 1]++;
            done++;
            free_ones[free_count++] = connection;
        }
    }
    printf("%.0f %ld %ld\n", done / seconds, percentile(done, 0.5), percentile(done, 0.99));
    return 0;
}
