/*
 * A reverse tunnel by libssh. Arguments: port, user, key file, host key ("type base64"), port to listen on, target port, rekey bytes or 0.
 * Prints "listening PORT"; on SIGUSR1 it cancels the forwarding and prints "cancelled".
 */
#include <arpa/inet.h>
#include <libssh/server.h>
#include <signal.h>

#include "libssh_relay.h"

static volatile sig_atomic_t cancel;
static int target, bound;

static void on_signal(int signal_number) {
  (void)signal_number;
  cancel = 1;
}

static int dial(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

/* Accepts visitors of the port; libssh refuses other messages. */
static int on_message(ssh_session session, ssh_message message, void *data) {
  (void)session, (void)data;
  if (ssh_message_type(message) != SSH_REQUEST_CHANNEL_OPEN) return 1;
  if (ssh_message_subtype(message) != SSH_CHANNEL_FORWARDED_TCPIP) return 1;
  /* A visitor may come together with the port. */
  if (bound != 0 && ssh_message_channel_request_open_destination_port(message) != bound) return 1;
  int fd = dial(target);
  ssh_channel channel = fd < 0 ? NULL : ssh_message_channel_request_open_reply_accept(message);
  if (channel == NULL) return 1;
  add_relay(channel, fd);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 8) return 2;
  int port = atoi(argv[1]), listen_port = atoi(argv[5]), off = 0;
  target = atoi(argv[6]);
  ssh_key key = NULL, host_key = NULL;
  ssh_session session = ssh_new();
  signal(SIGUSR1, on_signal);
  setvbuf(stdout, NULL, _IOLBF, 0);
  ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &off);
  ssh_options_set(session, SSH_OPTIONS_HOST, "127.0.0.1");
  ssh_options_set(session, SSH_OPTIONS_PORT, &port);
  ssh_options_set(session, SSH_OPTIONS_USER, argv[2]);
  set_rekey(session, argv[7]);
  if (ssh_connect(session) != SSH_OK) die("connect", session);
  if (ssh_get_server_publickey(session, &host_key) != SSH_OK || !is_base64_of(host_key, argv[4])) die("host key", session);
  if (ssh_pki_import_privkey_file(argv[3], NULL, NULL, NULL, &key) != SSH_OK) die("key", session);
  if (ssh_userauth_publickey(session, NULL, key) != SSH_AUTH_SUCCESS) die("login", session);
  ssh_set_message_callback(session, on_message, NULL);
  bound = listen_port;
  if (ssh_channel_listen_forward(session, "localhost", listen_port, listen_port == 0 ? &bound : NULL) != SSH_OK) die("listen", session);
  printf("listening %d\n", bound);
  ssh_event event = ssh_event_new();
  ssh_event_add_session(event, session);
  for (int busy = 0;;) {
    poll_once(event, session, busy);
    busy = move_all();
    if (cancel) {
      cancel = 0;
      if (ssh_channel_cancel_forward(session, "localhost", bound) != SSH_OK) die("cancel", session);
      puts("cancelled");
    }
  }
}
