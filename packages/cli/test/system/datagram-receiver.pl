# Prints each datagram that arrives at the UNIX socket of the first argument, as one line.
use strict;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
$| = 1;
my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die "cannot bind: $!";
print "listening\n";
while (defined $socket->recv(my $message, 65536)) {
  $message =~ s/\n+$//;
  $message =~ s/\n/ /g;
  # The barrier of systemd-notify waits until the descriptor that it has sent is closed, which the system does here.
  print "$message\n" unless $message eq "BARRIER=1";
}
