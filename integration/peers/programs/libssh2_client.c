/*
 * A reverse tunnel by libssh2. Arguments: port, user, key file, host key ("type base64"), port to listen on, target port, rekey bytes
 * (ignored: libssh2 never starts a rekey). Prints "listening PORT"; on SIGUSR1 it cancels the forwarding and prints "cancelled".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libssh2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct relay {
  LIBSSH2_CHANNEL *channel;
  int fd;
  char up[16384], down[16384];
  size_t up_at, up_length, down_at, down_length;
  int up_ended, down_ended;
  struct relay *next;
};

static volatile sig_atomic_t cancel;
static LIBSSH2_SESSION *session;

static void on_signal(int signal_number) {
  (void)signal_number;
  cancel = 1;
}

static void die(const char *what) {
  char *text = NULL;
  libssh2_session_last_error(session, &text, NULL, 0);
  fprintf(stderr, "%s: %s\n", what, text ? text : strerror(errno));
  exit(1);
}

static int dial(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
  return fd;
}

static int is_host_key(const char *public_line) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t length;
  int type;
  const unsigned char *key = (const unsigned char *)libssh2_session_hostkey(session, &length, &type);
  const char *expected = strchr(public_line, ' ');
  if (key == NULL || expected == NULL) return 0;
  expected++;
  for (size_t at = 0, bits = 0; bits < length * 8; bits += 6, at++) {
    unsigned value = (unsigned)key[bits / 8] << 8 | (bits / 8 + 1 < length ? key[bits / 8 + 1] : 0);
    if (expected[at] != digits[value >> (10 - bits % 8) & 63]) return 0;
  }
  return 1;
}

/* Moves what can be moved without waiting; returns how many bytes that was, or -1 when both directions have ended. */
static long move(struct relay *relay) {
  long moved = 0;
  if (relay->down_at == relay->down_length && !relay->down_ended) {
    ssize_t got = libssh2_channel_read(relay->channel, relay->down, sizeof relay->down);
    if (got < 0 && got != LIBSSH2_ERROR_EAGAIN) return -1;
    relay->down_at = 0;
    relay->down_length = got > 0 ? (size_t)got : 0;
    if (got <= 0 && libssh2_channel_eof(relay->channel) == 1) {
      relay->down_ended = 1;
      shutdown(relay->fd, SHUT_WR);
    }
  }
  if (relay->down_at < relay->down_length) {
    ssize_t sent = send(relay->fd, relay->down + relay->down_at, relay->down_length - relay->down_at, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return -1;
    if (sent > 0) relay->down_at += (size_t)sent, moved += sent;
  }
  if (relay->up_at == relay->up_length && !relay->up_ended) {
    ssize_t got = recv(relay->fd, relay->up, sizeof relay->up, MSG_DONTWAIT);
    if (got < 0 && errno != EAGAIN) return -1;
    relay->up_at = 0;
    relay->up_length = got > 0 ? (size_t)got : 0;
    if (got == 0 && libssh2_channel_send_eof(relay->channel) != LIBSSH2_ERROR_EAGAIN) relay->up_ended = 1;
  }
  if (relay->up_at < relay->up_length) {
    ssize_t sent = libssh2_channel_write(relay->channel, relay->up + relay->up_at, relay->up_length - relay->up_at);
    if (sent < 0 && sent != LIBSSH2_ERROR_EAGAIN) return -1;
    if (sent > 0) relay->up_at += (size_t)sent, moved += sent;
  }
  return relay->up_ended && relay->down_ended && relay->down_at == relay->down_length ? -1 : moved;
}

int main(int argc, char **argv) {
  if (argc != 8) return 2;
  int listen_port = atoi(argv[5]), target = atoi(argv[6]), bound = 0;
  struct relay *relays = NULL;
  signal(SIGUSR1, on_signal);
  setvbuf(stdout, NULL, _IOLBF, 0);
  libssh2_init(0);
  session = libssh2_session_init();
  if (libssh2_session_handshake(session, dial(atoi(argv[1])))) die("handshake");
  if (!is_host_key(argv[4])) die("host key");
  if (libssh2_userauth_publickey_fromfile(session, argv[2], NULL, argv[3], NULL)) die("login");
  LIBSSH2_LISTENER *listener = libssh2_channel_forward_listen_ex(session, "localhost", listen_port, &bound, 64);
  if (listener == NULL) die("listen");
  printf("listening %d\n", listen_port == 0 ? bound : listen_port);
  libssh2_session_set_blocking(session, 0);
  for (;;) {
    int busy = 0;
    LIBSSH2_CHANNEL *channel;
    while (listener != NULL && (channel = libssh2_channel_forward_accept(listener)) != NULL) {
      struct relay *relay = calloc(1, sizeof *relay);
      relay->channel = channel;
      relay->fd = dial(target);
      relay->next = relays;
      relays = relay;
    }
    if (listener != NULL && libssh2_session_last_errno(session) != LIBSSH2_ERROR_EAGAIN && channel == NULL) die("accept");
    for (struct relay **at = &relays; *at != NULL;) {
      struct relay *relay = *at;
      long moved = move(relay);
      if (moved > 0) busy = 1;
      if (moved >= 0) {
        at = &relay->next;
        continue;
      }
      *at = relay->next;
      while (libssh2_channel_free(relay->channel) == LIBSSH2_ERROR_EAGAIN) usleep(1000);
      close(relay->fd);
      free(relay);
    }
    if (cancel) {
      cancel = 0;
      libssh2_session_set_blocking(session, 1);
      if (libssh2_channel_forward_cancel(listener)) die("cancel");
      libssh2_session_set_blocking(session, 0);
      listener = NULL;
      puts("cancelled");
    }
    if (!busy) usleep(2000);
  }
}
