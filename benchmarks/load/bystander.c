/* A client that does nothing but PING, to see how long a server keeps it waiting while others have it work.
 *
 *   bystander -p PORT [-i 1000] -o FILE
 *
 * Sends a PING every -i microseconds, whether or not the ones before it have been answered, so that a server which
 * stands still for a second shows in a thousand PINGs and not in one. Connects as soon as somebody listens, prints
 * "ready" with the first reply (any line counts, also an error while the server loads), goes on until standard input
 * ends, and waits for the replies that are left. Then FILE holds two native 64-bit numbers for each PING: when it was
 * due, by CLOCK_MONOTONIC in nanoseconds, and for how many nanoseconds from then its sender waited.
 *
 * Runs with real-time priority where that is allowed, so that busy clients on the same core do not show.
 * One thread, loopback only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECT_LIMIT_S = 120, LAST_REPLIES_S = 120 };

static struct { uint64_t due_ns, waited_ns; } *pings;
static size_t sent, answered, room;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "bystander: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connected(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    uint64_t limit = now_ns() + CONNECT_LIMIT_S * 1000000000ull;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
        if (fd < 0) fail("socket");
        if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
            return fd;
        }
        if (errno != ECONNREFUSED || now_ns() > limit) fail("connect");
        close(fd);
        usleep(500);
    }
}

static void ping(int fd, uint64_t due_ns) {
    if (sent == room) {
        room = room ? room * 2 : 1 << 16;
        if ((pings = realloc(pings, room * sizeof *pings)) == NULL) fail("memory");
    }
    pings[sent++].due_ns = due_ns;
    if (send(fd, "PING\r\n", 6, MSG_NOSIGNAL) != 6) fail("send");
}

static void take_replies(int fd) {
    static char bytes[1 << 16];
    ssize_t count = recv(fd, bytes, sizeof bytes, 0);
    uint64_t now = now_ns();
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) fail("closed by the server");
    for (char *at = bytes; (at = memchr(at, '\n', (size_t)(bytes + count - at))) != NULL; at++) {
        if (answered == sent) fail("more replies than requests");
        pings[answered].waited_ns = now - pings[answered].due_ns;
        if (answered++ == 0) {
            puts("ready");
            fflush(stdout);
        }
    }
}

int main(int argc, char **argv) {
    int port = 0, option;
    long interval_us = 1000;
    const char *path = NULL;
    struct sched_param priority = {.sched_priority = 10};

    while ((option = getopt(argc, argv, "p:i:o:")) != -1) {
        if (option == 'p') port = atoi(optarg);
        else if (option == 'i') interval_us = atol(optarg);
        else if (option == 'o') path = optarg;
        else return 2;
    }
    if (port <= 0 || interval_us <= 0 || path == NULL) {
        fprintf(stderr, "usage: bystander -p PORT [-i MICROSECONDS] -o FILE\n");
        return 2;
    }
    if (sched_setscheduler(0, SCHED_FIFO, &priority) != 0 && errno != EPERM) fail("priority");
    FILE *out = fopen(path, "wb");
    if (out == NULL) fail(path);

    int fd = connected(port), asked_to_end = 0;
    uint64_t next_ns = now_ns(), limit_ns = 0;
    while (!asked_to_end || answered < sent) {
        struct pollfd watched[2] = {{.fd = fd, .events = POLLIN}, {.fd = asked_to_end ? -1 : 0, .events = POLLIN}};
        uint64_t now = now_ns(), left_ns = next_ns > now ? next_ns - now : 0;
        struct timespec wait = {(time_t)(left_ns / 1000000000ull), (long)(left_ns % 1000000000ull)};
        if (asked_to_end) wait = (struct timespec){1, 0};
        if (ppoll(watched, 2, &wait, NULL) < 0 && errno != EINTR) fail("poll");
        if (watched[0].revents) take_replies(fd);
        if (watched[1].revents) {
            char byte;
            if (read(0, &byte, 1) <= 0) {
                asked_to_end = 1;
                limit_ns = now_ns() + LAST_REPLIES_S * 1000000000ull;
            }
        }
        for (now = now_ns(); !asked_to_end && next_ns <= now; next_ns += (uint64_t)interval_us * 1000) ping(fd, next_ns);
        if (asked_to_end && now > limit_ns) {
            errno = ETIMEDOUT;
            fail("no reply");
        }
    }
    if (fwrite(pings, sizeof *pings, sent, out) != sent || fclose(out) != 0) fail(path);
    return 0;
}
