/* Load generator for native JSON commands: lines on the data port, or WebSocket messages.
 *
 *   jsonload PORT MODE KIND CLIENTS PIPELINE REQUESTS KEYSPACE VALUE_BYTES
 *
 * MODE line | ws; KIND kv_set | kv_get | kv_set10 | kv_get10. One thread, epoll, 127.0.0.1 only. Every
 * client keeps PIPELINE requests in flight. Each reply must contain "st":1. Prints one JSON object.
 * Ends by itself after REQUESTS replies, or with an error after two minutes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_S 120
#define IN_BYTES (1 << 20)
#define MOST_PIPELINE 1024

typedef struct {
    int fd;
    char *out, *in;
    size_t out_size, out_sent, in_size;
    uint64_t sent_at[MOST_PIPELINE];
    unsigned head, tail; /* requests in flight: sent_at[tail..head) */
} client;

static int is_ws, keys_each, is_get, value_bytes;
static long keyspace, requests, asked, answered, errors;
static uint64_t state = 88172645463325252ull;
static uint32_t *latency_us;
static char value[65536];

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

static long draw(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (long)(state % (uint64_t)keyspace);
}

static void die(const char *what) {
    fprintf(stderr, "jsonload: %s: %s\n", what, strerror(errno));
    exit(1);
}

static size_t command(char *at) {
    char *start = at;
    at += sprintf(at, is_get ? "{\"KV_GET\":{\"keys\":[" : "{\"KV_SET\":{\"keys\":{");
    for (int i = 0; i < keys_each; i++) {
        if (i) *at++ = ',';
        at += is_get ? sprintf(at, "\"key:%012ld\"", draw()) : sprintf(at, "\"key:%012ld\":\"%s\"", draw(), value);
    }
    at += sprintf(at, is_get ? "]}}" : "}}}");
    return at - start;
}

static void append_request(client *c) {
    static char text[1 << 20];
    size_t size = command(text);
    char *at = c->out + c->out_size;
    if (!is_ws) {
        memcpy(at, text, size);
        at[size] = '\n';
        c->out_size += size + 1;
    } else {
        unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};
        *at++ = (char)0x81;
        if (size < 126) {
            *at++ = (char)(0x80 | size);
        } else if (size < 65536) {
            *at++ = (char)(0x80 | 126);
            *at++ = (char)(size >> 8);
            *at++ = (char)size;
        } else {
            *at++ = (char)(0x80 | 127);
            for (int i = 7; i >= 0; i--) *at++ = (char)((uint64_t)size >> (8 * i));
        }
        memcpy(at, mask, 4);
        at += 4;
        for (size_t i = 0; i < size; i++) at[i] = text[i] ^ mask[i & 3];
        c->out_size = at + size - c->out;
    }
    c->sent_at[c->head++ % MOST_PIPELINE] = now_ns();
    asked++;
}

static void flush_out(client *c) {
    while (c->out_sent < c->out_size) {
        ssize_t n = write(c->fd, c->out + c->out_sent, c->out_size - c->out_sent);
        if (n < 0) {
            if (errno == EAGAIN) return;
            die("write");
        }
        c->out_sent += n;
    }
    c->out_size = c->out_sent = 0;
}

static void count_reply(client *c, const char *text, size_t size) {
    if (!memmem(text, size < 400 ? size : 400, "\"st\":1", 6)) {
        if (errors++ == 0) fprintf(stderr, "jsonload: %.*s\n", (int)(size < 200 ? size : 200), text);
    }
    latency_us[answered++] = (now_ns() - c->sent_at[c->tail++ % MOST_PIPELINE]) / 1000;
}

/* Take whole replies from the input; the number of bytes that they took. */
static size_t take_replies(client *c) {
    size_t at = 0;
    while (at < c->in_size && answered < requests) {
        char *start = c->in + at;
        size_t left = c->in_size - at;
        if (!is_ws) {
            char *end = memchr(start, '\n', left);
            if (!end) break;
            count_reply(c, start, end - start);
            at += end - start + 1;
            continue;
        }
        if (left < 2) break;
        unsigned char *head = (unsigned char *)start;
        size_t size = head[1] & 127, skip = 2;
        if (size == 126) {
            if (left < 4) break;
            size = head[2] << 8 | head[3];
            skip = 4;
        } else if (size == 127) {
            if (left < 10) break;
            size = 0;
            for (int i = 2; i < 10; i++) size = size << 8 | head[i];
            skip = 10;
        }
        if (left < skip + size) break;
        if ((head[0] & 15) == 1) count_reply(c, start + skip, size);
        else if ((head[0] & 15) == 8) die("closed by the server");
        at += skip + size;
    }
    return at;
}

static void open_client(client *c, int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1;
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->out = malloc(8 << 20);
    c->in = malloc(IN_BYTES);
    if (!c->out || !c->in) die("malloc");
    if (is_ws) {
        const char *hello = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        char answer[4096];
        size_t size = 0;
        if (write(c->fd, hello, strlen(hello)) < 0) die("handshake");
        while (!memmem(answer, size, "\r\n\r\n", 4)) {
            ssize_t n = read(c->fd, answer + size, sizeof answer - size);
            if (n <= 0) die("handshake");
            size += n;
        }
        if (memcmp(answer, "HTTP/1.1 101", 12)) die("handshake refused");
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    if (argc != 9) {
        fprintf(stderr, "usage: jsonload PORT line|ws kv_set|kv_get|kv_set10|kv_get10 CLIENTS PIPELINE REQUESTS KEYSPACE VALUE_BYTES\n");
        return 2;
    }
    int port = atoi(argv[1]), clients = atoi(argv[4]), pipeline = atoi(argv[5]);
    is_ws = !strcmp(argv[2], "ws");
    is_get = !strncmp(argv[3], "kv_get", 6);
    keys_each = strstr(argv[3], "10") ? 10 : 1;
    requests = atol(argv[6]);
    keyspace = atol(argv[7]);
    value_bytes = atoi(argv[8]);
    if (pipeline < 1 || pipeline > MOST_PIPELINE || value_bytes >= (int)sizeof value || keyspace < 1 || clients < 1) return 2;
    memset(value, 'x', value_bytes);
    latency_us = calloc(requests + 1, sizeof *latency_us);
    client *all = calloc(clients, sizeof *all);
    int poll = epoll_create1(0);
    for (int i = 0; i < clients; i++) {
        open_client(&all[i], port);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event);
    }
    uint64_t begun = now_ns();
    for (int i = 0; i < clients; i++) {
        for (int k = 0; k < pipeline && asked < requests; k++) append_request(&all[i]);
        flush_out(&all[i]);
    }
    while (answered < requests) {
        struct epoll_event ready[256];
        int count = epoll_wait(poll, ready, 256, 1000);
        if (now_ns() - begun > LIMIT_S * 1000000000ull) {
            fprintf(stderr, "jsonload: not done after %d s\n", LIMIT_S);
            return 1;
        }
        for (int i = 0; i < count; i++) {
            client *c = ready[i].data.ptr;
            ssize_t n = read(c->fd, c->in + c->in_size, IN_BYTES - c->in_size);
            if (n == 0) die("closed by the server");
            if (n < 0) {
                if (errno == EAGAIN) continue;
                die("read");
            }
            c->in_size += n;
            size_t taken = take_replies(c);
            memmove(c->in, c->in + taken, c->in_size - taken);
            c->in_size -= taken;
            while (c->head - c->tail < (unsigned)pipeline && asked < requests) append_request(c);
            flush_out(c);
        }
    }
    double seconds = (now_ns() - begun) / 1e9;
    qsort(latency_us, answered, sizeof *latency_us, by_size);
    printf("{\"requests\":%ld,\"seconds\":%.3f,\"rps\":%.0f,\"keys_per_s\":%.0f,\"errors\":%ld,\"p50_us\":%u,\"p99_us\":%u}\n",
           answered, seconds, answered / seconds, answered * keys_each / seconds, errors,
           latency_us[answered / 2], latency_us[answered * 99 / 100]);
    return errors != 0;
}
