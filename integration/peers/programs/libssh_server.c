/*
 * An SSH server by libssh that grants tcpip-forward. Arguments: port, host key file, authorized key ("type base64"), rekey bytes or 0.
 * Prints "ready". Each connection has a process of its own.
 */
#include <arpa/inet.h>
#include <libssh/server.h>
#include <signal.h>

#include "libssh_relay.h"

static const char *authorized_key;
static int authenticated, listener = -1, listen_port;
static char listen_address[256];

static int on_key(ssh_session session, const char *user, struct ssh_key_struct *key, char state, void *data) {
  (void)session, (void)user, (void)data;
  if (!is_base64_of(key, authorized_key)) return SSH_AUTH_DENIED;
  if (state == SSH_PUBLICKEY_STATE_VALID) authenticated = 1;
  return state == SSH_PUBLICKEY_STATE_NONE || state == SSH_PUBLICKEY_STATE_VALID ? SSH_AUTH_SUCCESS : SSH_AUTH_DENIED;
}

static int open_listener(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  socklen_t size = sizeof address;
  int on = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 64) != 0) return -1;
  getsockname(listener, (struct sockaddr *)&address, &size);
  listen_port = ntohs(address.sin_port);
  return 0;
}

static int on_message(ssh_session session, ssh_message message, void *data) {
  (void)session, (void)data;
  if (ssh_message_type(message) != SSH_REQUEST_GLOBAL) return 1;
  switch (ssh_message_subtype(message)) {
    case SSH_GLOBAL_REQUEST_TCPIP_FORWARD:
      if (listener >= 0 || open_listener(ssh_message_global_request_port(message)) != 0) return 1;
      snprintf(listen_address, sizeof listen_address, "%s", ssh_message_global_request_address(message));
      ssh_message_global_request_reply_success(message, (uint16_t)listen_port);
      return 0;
    case SSH_GLOBAL_REQUEST_CANCEL_TCPIP_FORWARD:
      if (listener < 0 || ssh_message_global_request_port(message) != listen_port) return 1;
      close(listener);
      listener = -1;
      ssh_message_global_request_reply_success(message, 0);
      return 0;
    default:
      return 1;
  }
}

static void welcome(ssh_session session) {
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  int fd = listener < 0 ? -1 : accept(listener, (struct sockaddr *)&from, &size);
  if (fd < 0) return;
  ssh_channel channel = ssh_channel_new(session);
  if (ssh_channel_open_reverse_forward(channel, listen_address, listen_port, "127.0.0.1", ntohs(from.sin_port)) != SSH_OK) {
    ssh_channel_free(channel);
    close(fd);
    return;
  }
  add_relay(channel, fd);
}

static void serve(ssh_session session) {
  struct ssh_server_callbacks_struct callbacks = {.auth_pubkey_function = on_key};
  ssh_callbacks_init(&callbacks);
  ssh_set_server_callbacks(session, &callbacks);
  ssh_set_auth_methods(session, SSH_AUTH_METHOD_PUBLICKEY);
  ssh_set_message_callback(session, on_message, NULL);
  if (ssh_handle_key_exchange(session) != SSH_OK) die("key exchange", session);
  ssh_event event = ssh_event_new();
  ssh_event_add_session(event, session);
  for (int busy = 0;;) {
    poll_once(event, session, busy);
    if (authenticated) welcome(session);
    busy = move_all();
  }
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  int port = atoi(argv[1]), off = 0;
  authorized_key = argv[3];
  ssh_bind bound = ssh_bind_new();
  signal(SIGCHLD, SIG_IGN);
  ssh_bind_options_set(bound, SSH_BIND_OPTIONS_PROCESS_CONFIG, &off);
  ssh_bind_options_set(bound, SSH_BIND_OPTIONS_BINDADDR, "127.0.0.1");
  ssh_bind_options_set(bound, SSH_BIND_OPTIONS_BINDPORT, &port);
  ssh_bind_options_set(bound, SSH_BIND_OPTIONS_HOSTKEY, argv[2]);
  if (ssh_bind_listen(bound) != SSH_OK) {
    fprintf(stderr, "listen: %s\n", ssh_get_error(bound));
    return 1;
  }
  puts("ready");
  fflush(stdout);
  for (;;) {
    ssh_session session = ssh_new();
    set_rekey(session, argv[4]);
    if (ssh_bind_accept(bound, session) != SSH_OK) continue;
    if (fork() == 0) {
      ssh_bind_free(bound);
      serve(session);
    }
    ssh_disconnect(session);
    ssh_free(session);
  }
}
