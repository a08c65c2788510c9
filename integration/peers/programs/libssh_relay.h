/* Bytes between a libssh channel and a socket, both ways, with half-close. Shared by the client and the server. */
#include <errno.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct relay {
  struct ssh_channel_callbacks_struct callbacks;
  ssh_channel channel;
  int fd;
  char *pending;
  size_t length;
  int channel_ended, channel_closed, socket_told, socket_ended;
  struct relay *next;
};

static struct relay *relays;

static void die(const char *what, ssh_session session) {
  fprintf(stderr, "%s: %s\n", what, session ? ssh_get_error(session) : strerror(errno));
  exit(1);
}

/* libssh reports a packet that it rejects in the status of the session; the poll itself succeeds. */
static void poll_once(ssh_event event, ssh_session session, int busy) {
  if (ssh_event_dopoll(event, busy ? 0 : 5) == SSH_ERROR) die("poll", session);
  if (ssh_get_status(session) & (SSH_CLOSED | SSH_CLOSED_ERROR)) die("session", session);
}

static int on_data(ssh_session s, ssh_channel c, void *data, uint32_t length, int is_stderr, void *user) {
  struct relay *relay = user;
  (void)s, (void)c, (void)is_stderr;
  relay->pending = realloc(relay->pending, relay->length + length);
  memcpy(relay->pending + relay->length, data, length);
  relay->length += length;
  return (int)length;
}

static void on_eof(ssh_session s, ssh_channel c, void *user) {
  (void)s, (void)c;
  ((struct relay *)user)->channel_ended = 1;
}

static void on_close(ssh_session s, ssh_channel c, void *user) {
  (void)s, (void)c;
  ((struct relay *)user)->channel_ended = ((struct relay *)user)->channel_closed = 1;
}

static void add_relay(ssh_channel channel, int fd) {
  struct relay *relay = calloc(1, sizeof *relay);
  relay->channel = channel;
  relay->fd = fd;
  relay->callbacks.userdata = relay;
  relay->callbacks.channel_data_function = on_data;
  relay->callbacks.channel_eof_function = on_eof;
  relay->callbacks.channel_close_function = on_close;
  ssh_callbacks_init(&relay->callbacks);
  if (ssh_set_channel_callbacks(channel, &relay->callbacks) != SSH_OK) die("callbacks", NULL);
  relay->next = relays;
  relays = relay;
}

/* Moves what can be moved without waiting; returns how many bytes that was, or -1 when both directions have ended. */
static long move(struct relay *relay) {
  long moved = 0;
  char buffer[16384];
  if (relay->length > 0) {
    ssize_t sent = send(relay->fd, relay->pending, relay->length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return -1;
    if (sent > 0) {
      relay->length -= (size_t)sent;
      memmove(relay->pending, relay->pending + sent, relay->length);
      moved += sent;
    }
  }
  if (relay->channel_ended && relay->length == 0 && !relay->socket_told) {
    relay->socket_told = 1;
    shutdown(relay->fd, SHUT_WR);
  }
  uint32_t room = relay->channel_closed ? 0 : ssh_channel_window_size(relay->channel);
  if (!relay->socket_ended && room > 0) {
    ssize_t got = recv(relay->fd, buffer, room < sizeof buffer ? room : sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno != EAGAIN) return -1;
    if (got > 0 && ssh_channel_write(relay->channel, buffer, (uint32_t)got) != got) return -1;
    if (got > 0) moved += got;
    if (got == 0) {
      relay->socket_ended = 1;
      ssh_channel_send_eof(relay->channel);
    }
  }
  return relay->socket_told && (relay->socket_ended || relay->channel_closed) ? -1 : moved;
}

/* Returns whether anything moved. */
static int move_all(void) {
  int busy = 0;
  for (struct relay **at = &relays; *at != NULL;) {
    struct relay *relay = *at;
    long moved = move(relay);
    if (moved > 0) busy = 1;
    if (moved >= 0) {
      at = &relay->next;
      continue;
    }
    *at = relay->next;
    ssh_remove_channel_callbacks(relay->channel, &relay->callbacks);
    ssh_channel_close(relay->channel);
    ssh_channel_free(relay->channel);
    close(relay->fd);
    free(relay->pending);
    free(relay);
  }
  return busy;
}

static int is_base64_of(ssh_key key, const char *public_line) {
  char *base64 = NULL;
  const char *expected = strchr(public_line, ' ');
  if (ssh_pki_export_pubkey_base64(key, &base64) != SSH_OK || expected == NULL) return 0;
  int same = strcmp(base64, expected + 1) == 0;
  ssh_string_free_char(base64);
  return same;
}

/* New keys after so many bytes; 0 leaves libssh's own limits. */
static void set_rekey(ssh_session session, const char *text) {
  uint64_t bytes = strtoull(text, NULL, 10);
  if (bytes > 0 && ssh_options_set(session, SSH_OPTIONS_REKEY_DATA, &bytes) != SSH_OK) die("rekey", session);
}
