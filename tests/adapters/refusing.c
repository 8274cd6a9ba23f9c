/* Loaded into every process of a day's work: lets nothing out but what is named, and writes down what tried.

   CLEW_TEST_ATTEMPTS  the file that takes a line for each attempt.
   CLEW_TEST_LOADED    the file that takes the command line of each process that this was loaded into.
   CLEW_TEST_PORTS     ports of 127.0.0.1 that may be connected to, with commas around each.

   A Unix socket leads to no other machine and is let through. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void note(const char *variable, const char *text) {
    const char *path = getenv(variable);
    int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (file >= 0) {
        ssize_t written = write(file, text, strlen(text));
        (void)written;
        close(file);
    }
}

static void command_line(char *into, size_t size) {
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, into, size - 1) : 0;
    if (file >= 0) close(file);
    if (length < 0) length = 0;
    for (ssize_t at = 0; at < length; at++)
        if (into[at] == '\0' || into[at] == '\n') into[at] = ' ';
    into[length] = '\0';
}

__attribute__((constructor)) static void loaded(void) {
    char line[4096], command[4000];
    command_line(command, sizeof command);
    snprintf(line, sizeof line, "%s\n", command);
    note("CLEW_TEST_LOADED", line);
}

static void attempted(const char *how, const char *where) {
    char line[4096], command[2000];
    command_line(command, sizeof command);
    snprintf(line, sizeof line, "%s %s by %s\n", how, where, command);
    note("CLEW_TEST_ATTEMPTS", line);
}

static int is_let_out(const char *how, const struct sockaddr *address) {
    char where[INET6_ADDRSTRLEN] = "?", text[128], wanted[16];
    int port = 0;
    if (address == NULL || address->sa_family == AF_UNIX || address->sa_family == AF_UNSPEC) return 1;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        port = ntohs(in->sin_port);
        inet_ntop(AF_INET, &in->sin_addr, where, sizeof where);
        snprintf(wanted, sizeof wanted, ",%d,", port);
        const char *ports = getenv("CLEW_TEST_PORTS");
        if (in->sin_addr.s_addr == htonl(INADDR_LOOPBACK) && ports && strstr(ports, wanted)) return 1;
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;
        port = ntohs(in->sin6_port);
        inet_ntop(AF_INET6, &in->sin6_addr, where, sizeof where);
    }
    snprintf(text, sizeof text, "family %d %s:%d", address->sa_family, where, port);
    attempted(how, text);
    errno = ENETUNREACH;
    return 0;
}

int connect(int fd, const struct sockaddr *address, socklen_t length) {
    static int (*real)(int, const struct sockaddr *, socklen_t);
    if (!real) real = (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");
    return is_let_out("connect", address) ? real(fd, address, length) : -1;
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address, socklen_t length) {
    static ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    if (!real) real = (ssize_t (*)(int, const void *, size_t, int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "sendto");
    return is_let_out("sendto", address) ? real(fd, data, size, flags, address, length) : -1;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    static ssize_t (*real)(int, const struct msghdr *, int);
    if (!real) real = (ssize_t (*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg");
    return is_let_out("sendmsg", message ? message->msg_name : NULL) ? real(fd, message, flags) : -1;
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags) {
    static int (*real)(int, struct mmsghdr *, unsigned int, int);
    if (!real) real = (int (*)(int, struct mmsghdr *, unsigned int, int))dlsym(RTLD_NEXT, "sendmmsg");
    for (unsigned int at = 0; at < count; at++)
        if (!is_let_out("sendmmsg", messages[at].msg_hdr.msg_name)) return -1;
    return real(fd, messages, count, flags);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    unsigned char number[sizeof(struct in6_addr)];
    if (!real) real = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
    if (node == NULL || inet_pton(AF_INET, node, number) == 1 || inet_pton(AF_INET6, node, number) == 1) return real(node, service, hints, found);
    if (strcmp(node, "localhost") == 0) return real("127.0.0.1", service, hints, found);
    attempted("getaddrinfo", node);
    return EAI_FAIL;
}

struct hostent *gethostbyname(const char *name) {
    attempted("gethostbyname", name);
    return NULL;
}

int gethostbyname_r(const char *name, struct hostent *entry, char *room, size_t size, struct hostent **found, int *error) {
    (void)entry, (void)room, (void)size;
    attempted("gethostbyname_r", name);
    *found = NULL;
    *error = HOST_NOT_FOUND;
    return ENOENT;
}
