/* Load generator for native JSON commands: lines on the data port, or WebSocket messages on the HTTP port.
 *
 *   jsonload -p PORT [-h 127.0.0.1] [-m line|ws] [-k kv_set|kv_get|kv_set10|kv_get10] [-c 50] [-P 1] [-n 100000]
 *            [-r 100000] [-d 32] [-t 60]
 *
 * One thread, epoll, loopback addresses only. Each of -c clients keeps -P requests in flight until -n requests are
 * answered; keys are drawn from -r, values have -d bytes. A reply is a line, or a message. Each must say "st":1;
 * any other counts as an error, and a KV_GET reply too short to hold all its values as a miss. Prints one JSON object
 * and exits 0, or 1 where there were errors, where a connection broke, or where -t seconds were not enough.
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

enum { MOST_CLIENTS = 1000, MOST_PIPELINE = 1024, MOST_VALUE = 65536, MOST_REQUESTS = 100 * 1000 * 1000, KEY_BYTES = 16 };
enum { TEXT = 1, CONTINUATION = 0, CLOSE = 8, PING = 9, PONG = 10 };
#define MOST_REPLY (64u << 20) /* a server that never ends a reply must not fill our memory */

typedef struct {
    char *bytes;
    size_t begin, end, room; /* bytes[begin..end) wait */
} buffer;

typedef struct {
    int fd, watches_writing;
    buffer in, out;
    uint64_t sent_ns[MOST_PIPELINE];
    unsigned asked, answered; /* in flight: sent_ns[answered..asked) */
    size_t message;           /* bytes of earlier frames of a message in several frames */
    int message_fine;
} client;

static int is_ws, is_get, keys_each, value_bytes, limit_s;
static long keyspace, requests, asked, answered, errors, misses;
static uint64_t seed = 88172645463325252ull, deadline_ns;
static uint32_t *latency_us;
static char value[MOST_VALUE];

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static uint64_t draw(void) { /* xorshift */
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void fail(const char *what) {
    fprintf(stderr, "jsonload: %s\n", what);
    exit(1);
}

static void die(const char *what) {
    fprintf(stderr, "jsonload: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---------------------------------------------------------------- buffers */

/* Room for size more bytes at the end; what waits moves to the front first. */
static char *reserve(buffer *b, size_t size) {
    if (b->begin == b->end) b->begin = b->end = 0;
    if (b->room - b->end < size && b->begin) {
        memmove(b->bytes, b->bytes + b->begin, b->end - b->begin);
        b->end -= b->begin;
        b->begin = 0;
    }
    if (b->room - b->end < size) {
        b->room = (b->end + size) * 2;
        if (b->room > 2 * (size_t)MOST_REPLY) fail("a reply or a batch of requests is too long");
        b->bytes = realloc(b->bytes, b->room);
        if (!b->bytes) die("realloc");
    }
    return b->bytes + b->end;
}

/* ---------------------------------------------------------------- requests */

static char *put(char *at, const char *text) {
    size_t size = strlen(text);
    memcpy(at, text, size);
    return at + size;
}

/* "key:000000012345", the keys of redis-benchmark. */
static char *put_key(char *at) {
    uint64_t number = draw() % (uint64_t)keyspace;
    at = put(at, "\"key:000000000000\"");
    for (char *digit = at - 2; number; digit--, number /= 10) *digit = (char)('0' + number % 10);
    return at;
}

static size_t most_command(void) { return 64 + (size_t)keys_each * (size_t)(KEY_BYTES + 6 + value_bytes); }

static size_t put_command(char *start) {
    char *at = put(start, is_get ? "{\"KV_GET\":{\"keys\":[" : "{\"KV_SET\":{\"keys\":{");
    for (int i = 0; i < keys_each; i++) {
        if (i) *at++ = ',';
        at = put_key(at);
        if (is_get) continue;
        at = put(at, ":\"");
        memcpy(at, value, (size_t)value_bytes);
        at = put(at + value_bytes, "\"");
    }
    return (size_t)(put(at, is_get ? "]}}" : "}}}") - start);
}

/* Write a masked frame whose payload stands at payload; the frame begins at start, at most 14 bytes before it. */
static size_t put_frame(char *start, int opcode, const char *payload, size_t size) {
    unsigned char *at = (unsigned char *)start;
    uint32_t mask = (uint32_t)draw();
    int length_bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
    *at++ = (unsigned char)(0x80 | opcode);
    *at++ = (unsigned char)(0x80 | (length_bytes == 0 ? size : length_bytes == 2 ? 126 : 127));
    for (int i = length_bytes - 1; i >= 0; i--) *at++ = (unsigned char)((uint64_t)size >> (8 * i));
    memcpy(at, &mask, 4);
    const unsigned char *key = at;
    at += 4;
    memmove(at, payload, size);
    uint64_t wide = (uint64_t)mask << 32 | mask, word;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        memcpy(&word, at + i, 8);
        word ^= wide;
        memcpy(at + i, &word, 8);
    }
    for (; i < size; i++) at[i] ^= key[i & 3];
    return (size_t)((char *)at + size - start);
}

static void ask(client *c, uint64_t at_ns) {
    char *start = reserve(&c->out, most_command() + 16);
    if (is_ws) {
        size_t size = put_command(start + 14);
        c->out.end += put_frame(start, TEXT, start + 14, size);
    } else {
        size_t size = put_command(start);
        start[size] = '\n';
        c->out.end += size + 1;
    }
    c->sent_ns[c->asked++ % MOST_PIPELINE] = at_ns;
    asked++;
}

/* ---------------------------------------------------------------- replies */

static int is_fine(const char *text, size_t size) {
    const char *found = memmem(text, size < 200 ? size : 200, "\"st\":1", 6);
    return found && found + 6 < text + size && (found[6] == ',' || found[6] == '}');
}

static void count_reply(client *c, const char *text, size_t shown, size_t size, int fine, uint64_t at_ns) {
    if (c->answered == c->asked) fail("a reply that nobody asked for");
    if (!fine && errors++ == 0) fprintf(stderr, "jsonload: %.*s\n", (int)(shown < 200 ? shown : 200), text);
    if (fine && is_get && size < (size_t)keys_each * (size_t)value_bytes) misses++;
    latency_us[answered++] = (uint32_t)((at_ns - c->sent_ns[c->answered++ % MOST_PIPELINE]) / 1000);
}

/* Take one whole line from the input; 0 if there is none yet. seen: bytes that are known to hold no newline. */
static int take_line(client *c, uint64_t at_ns, size_t *seen) {
    char *start = c->in.bytes + c->in.begin;
    size_t size = c->in.end - c->in.begin;
    char *end = size > *seen ? memchr(start + *seen, '\n', size - *seen) : NULL;
    if (!end) return 0;
    *seen = 0;
    size = (size_t)(end - start);
    count_reply(c, start, size, size, is_fine(start, size), at_ns);
    c->in.begin += size + 1;
    return 1;
}

/* Take one whole frame from the input; 0 if there is none yet. */
static int take_frame(client *c, uint64_t at_ns) {
    const unsigned char *head = (const unsigned char *)c->in.bytes + c->in.begin;
    size_t left = c->in.end - c->in.begin, skip = 2;
    if (left < 2) return 0;
    uint64_t size = head[1] & 127;
    int length_bytes = size == 126 ? 2 : size == 127 ? 8 : 0, opcode = head[0] & 15, is_last = head[0] >> 7;
    if (head[1] & 128) fail("a masked frame from the server");
    if (head[0] & 0x70) fail("reserved bits in a frame");
    if (left < skip + (size_t)length_bytes) return 0;
    if (length_bytes) {
        size = 0;
        for (int i = 0; i < length_bytes; i++) size = size << 8 | head[skip++];
        if (size > MOST_REPLY) fail("a frame is too long");
    }
    if (left - skip < size) return 0;
    const char *text = (const char *)head + skip;
    c->in.begin += skip + size;
    if (opcode == TEXT || opcode == CONTINUATION) {
        if ((opcode == TEXT) != (c->message == 0)) fail("frames of a message out of order");
        if (opcode == TEXT) c->message_fine = is_fine(text, size);
        if (is_last) {
            count_reply(c, text, size, c->message + size, c->message_fine, at_ns);
            c->message = 0;
        } else {
            c->message += size ? size : 1;
        }
    } else if (opcode == PING) {
        char *pong = reserve(&c->out, size + 14);
        c->out.end += put_frame(pong, PONG, text, size);
    } else if (opcode == CLOSE) {
        fprintf(stderr, "jsonload: closed by the server: %.*s\n", size > 2 ? (int)size - 2 : 0, text + 2);
        exit(1);
    } else if (opcode != PONG) {
        fail("a frame of an unknown kind");
    }
    return 1;
}

/* ---------------------------------------------------------------- connections */

static void open_client(client *c, const struct sockaddr_in *to) {
    int one = 1;
    struct timeval limit = {.tv_sec = limit_s};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket");
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (const struct sockaddr *)to, sizeof *to) < 0) die("connect");
    if (is_ws) {
        char hello[512];
        int size = snprintf(hello, sizeof hello,
                            "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                            ntohs(to->sin_port));
        if (write(c->fd, hello, (size_t)size) != size) die("handshake");
        char *end;
        do {
            char *at = reserve(&c->in, 4096);
            if (c->in.end > 16384) fail("handshake: an answer without end");
            ssize_t n = read(c->fd, at, 4096);
            if (n <= 0) die("handshake");
            c->in.end += (size_t)n;
        } while (!(end = memmem(c->in.bytes, c->in.end, "\r\n\r\n", 4)));
        size_t head = (size_t)(end - c->in.bytes) + 4;
        /* the accept value of RFC 6455's own example key, which the request above sends */
        if (head < 12 || memcmp(c->in.bytes, "HTTP/1.1 101", 12) || !memmem(c->in.bytes, head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28))
            fail("handshake refused");
        c->in.begin = head;
    }
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0) die("fcntl");
}

/* Write what waits; where the socket takes no more, the loop goes on when it does again. */
static void flush_client(client *c, int poll) {
    while (c->out.begin < c->out.end) {
        ssize_t n = send(c->fd, c->out.bytes + c->out.begin, c->out.end - c->out.begin, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN) die("write");
        if (n < 0) break;
        c->out.begin += (size_t)n;
    }
    int wants = c->out.begin < c->out.end;
    if (wants != c->watches_writing) {
        struct epoll_event event = {.events = EPOLLIN | (wants ? EPOLLOUT : 0u), .data.ptr = c};
        if (epoll_ctl(poll, EPOLL_CTL_MOD, c->fd, &event) < 0) die("epoll_ctl");
        c->watches_writing = wants;
    }
}

/* Read what has come, count whole replies, and ask again for each. */
static void serve_client(client *c, int pipeline, int poll) {
    size_t seen = c->in.end - c->in.begin;
    char *at = reserve(&c->in, 65536);
    ssize_t n = read(c->fd, at, c->in.room - c->in.end);
    if (n == 0) fail("closed by the server");
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n < 0) die("read");
    c->in.end += (size_t)n;
    uint64_t at_ns = now_ns();
    if (at_ns > deadline_ns) fail("not done in time");
    while (is_ws ? take_frame(c, at_ns) : take_line(c, at_ns, &seen)) {
    }
    while (c->asked - c->answered < (unsigned)pipeline && asked < requests) ask(c, at_ns);
    flush_client(c, poll);
}

/* ---------------------------------------------------------------- the program */

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static long number(const char *text, long least, long most) {
    char *end;
    errno = 0;
    long found = strtol(text, &end, 10);
    if (errno || end == text || *end || found < least || found > most) {
        fprintf(stderr, "jsonload: %s is no number from %ld to %ld\n", text, least, most);
        exit(2);
    }
    return found;
}

static int choice(const char *text, const char *const *names) {
    for (int i = 0; names[i]; i++)
        if (!strcmp(text, names[i])) return i;
    fprintf(stderr, "jsonload: %s is not known here\n", text);
    exit(2);
}

int main(int argc, char **argv) {
    static const char *const modes[] = {"line", "ws", NULL}, *const kinds[] = {"kv_set", "kv_get", "kv_set10", "kv_get10", NULL};
    struct sockaddr_in to = {.sin_family = AF_INET};
    int clients = 50, pipeline = 1, kind = 0, option;
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    keyspace = requests = 100000;
    value_bytes = 32;
    limit_s = 60;
    while ((option = getopt(argc, argv, "h:p:m:k:c:P:n:r:d:t:")) != -1) {
        switch (option) {
            case 'h':
                if (inet_pton(AF_INET, optarg, &to.sin_addr) != 1 || ntohl(to.sin_addr.s_addr) >> 24 != 127)
                    fail("only addresses of the loopback network, 127.x.x.x");
                break;
            case 'p': to.sin_port = htons((uint16_t)number(optarg, 1, 65535)); break;
            case 'm': is_ws = choice(optarg, modes); break;
            case 'k': kind = choice(optarg, kinds); break;
            case 'c': clients = (int)number(optarg, 1, MOST_CLIENTS); break;
            case 'P': pipeline = (int)number(optarg, 1, MOST_PIPELINE); break;
            case 'n': requests = number(optarg, 1, MOST_REQUESTS); break;
            case 'r': keyspace = number(optarg, 1, 999999999999); break;
            case 'd': value_bytes = (int)number(optarg, 0, MOST_VALUE); break;
            case 't': limit_s = (int)number(optarg, 1, 3600); break;
            default: return 2;
        }
    }
    if (!to.sin_port || optind != argc) {
        fprintf(stderr, "usage: jsonload -p PORT [-h HOST] [-m line|ws] [-k KIND] [-c CLIENTS] [-P PIPELINE] [-n REQUESTS]"
                        " [-r KEYSPACE] [-d VALUE_BYTES] [-t SECONDS]\n");
        return 2;
    }
    is_get = kind & 1;
    keys_each = kind >= 2 ? 10 : 1;
    memset(value, 'x', sizeof value);
    latency_us = calloc((size_t)requests, sizeof *latency_us);
    client *all = calloc((size_t)clients, sizeof *all);
    int poll = epoll_create1(EPOLL_CLOEXEC);
    if (!latency_us || !all || poll < 0) die("start");
    for (int i = 0; i < clients; i++) {
        open_client(&all[i], &to);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event) < 0) die("epoll_ctl");
    }
    uint64_t begun_ns = now_ns();
    deadline_ns = begun_ns + (uint64_t)limit_s * 1000000000ull;
    for (int i = 0; i < clients; i++) {
        for (int k = 0; k < pipeline && asked < requests; k++) ask(&all[i], now_ns());
        flush_client(&all[i], poll);
    }
    while (answered < requests) {
        struct epoll_event ready[MOST_CLIENTS];
        int count = epoll_wait(poll, ready, MOST_CLIENTS, 1000);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        if (count <= 0 && now_ns() > deadline_ns) fail("not done in time");
        for (int i = 0; i < count; i++) {
            if (ready[i].events & EPOLLOUT) flush_client(ready[i].data.ptr, poll);
            if (ready[i].events & ~(uint32_t)EPOLLOUT) serve_client(ready[i].data.ptr, pipeline, poll);
        }
    }
    double seconds = (double)(now_ns() - begun_ns) / 1e9;
    qsort(latency_us, (size_t)answered, sizeof *latency_us, by_size);
    printf("{\"requests\":%ld,\"seconds\":%.3f,\"rps\":%.0f,\"keys_per_s\":%.0f,\"errors\":%ld,\"misses\":%ld,"
           "\"p50_us\":%u,\"p99_us\":%u}\n",
           answered, seconds, (double)answered / seconds, (double)(answered * keys_each) / seconds, errors, misses,
           latency_us[answered / 2], latency_us[answered * 99 / 100]);
    return errors != 0;
}
