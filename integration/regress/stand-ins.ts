/**
 * The programs that OpenSSH's scripts start in place of `ssh` and `sshd`: shell scripts that run `postern`. In the role
 * of the host, a wrapper of `ssh` runs commands by a real sshd, because a tunnel host runs none.
 * @module
 */
import { writeFileSync } from "node:fs";

/** Returns a script that runs `postern` with the words before its own arguments. */
export function postern(node: string, program: string, ...words: readonly string[]): string {
  return `#!/bin/sh\nexec ${[node, program, ...words].join(" ")} "$@"\n${padding}`;
}

/** Newer scripts send the file of `ssh` as test data, and repeat it until it is large enough. */
const padding = Array.from({ length: 2_000 }, (_, line) => `# Line ${line} of the data that the tests send.\n`).join(
  "",
);

/** Where a command of the role `host` runs: on a real sshd, reached through the host or beside it. */
export type Commands = "through" | "beside";

export interface SessionOptions {
  /** The real `ssh`. */
  readonly ssh: string;
  /** Configuration for the real sshd that runs the commands. */
  readonly config: string;
  readonly port: number;
  readonly commands: Commands;
  /** The program whose `-Q` lists the algorithms of the host. */
  readonly theirs: string;
}

/**
 * Returns a wrapper of `ssh`. A command line without a command runs unchanged. With a command, the connection that the
 * script asked for is made to the host, with all options of the script, and the command runs on a real sshd:
 *
 * - `through`: the connection to the real sshd goes through a channel of that connection (`-W`), so the bytes of the
 *   command pass the host.
 * - `beside`: the connection to the host only has to succeed and stay (`-N`); the command runs on a connection of its
 *   own. For scripts that forbid the channel.
 *
 * `-Q` prints the algorithms that both programs know, because scripts try each of them.
 */
export function sshWithCommands({ ssh, config, port, commands, theirs }: SessionOptions): string {
  return `#!/bin/sh
plain=
background=
while getopts 1246ab:c:e:fgi:kl:m:no:p:qstvxAB:CD:E:F:GI:J:KL:MNO:P:Q:R:S:TVw:W:XYy option; do
	case $option in
	Q)	theirs=$(${theirs} -Q "$OPTARG")
		${ssh} -Q "$OPTARG" | while read -r name; do
			case " $(echo $theirs) " in *" $name "*) echo "$name" ;; esac
		done
		exit ;;
	[GNOVW]) plain=yes ;;
	f)	background=yes ;;
	esac
done
[ -n "$plain" ] || [ $# -le $OPTIND ] && exec ${ssh} "$@"

folder=$(mktemp -d)
quote() { printf " '%s'" "$(printf %s "$1" | sed "s/'/'\\\\\\\\''/g")"; }
words=
count=0
while [ $((count += 1)) -lt $OPTIND ]; do
	words="$words$(quote "$1")"
	shift
done
destination=$(quote "$1")
shift
finish() { rm -rf "$folder"; exit "$1"; }

if [ -n "$background" ]; then
	eval "${ssh}$words -N$destination" || finish $?
	${ssh} -F ${config} -p ${port} real "$@"
	finish $?
fi
${commands === "through" ? through(ssh, config, port) : beside(ssh, config, port)}`;
}

// `trap`: ssh sends its ProxyCommand a SIGHUP at the end, but the connection must end in its own time, as without a
// wrapper: it may still write known hosts.
function through(ssh: string, config: string, port: number): string {
  return `cat >"$folder/way" <<END
trap '' HUP
${ssh}$words -o ClearAllForwardings=no -o ExitOnForwardFailure=no -W 127.0.0.1:${port}$destination
echo \\$? >"$folder/status"
END
${ssh} -F ${config} -o "ProxyCommand=sh $folder/way" real "$@"
status=$?
count=0
while [ ! -s "$folder/status" ] && [ $((count += 1)) -lt 100 ]; do sleep 0.1; done
[ "$(cat "$folder/status")" = 0 ] || status=$(cat "$folder/status")
finish $status
`;
}

function beside(ssh: string, config: string, port: number): string {
  return `eval "${ssh}$words -f -N -M -S '$folder/control'$destination" || finish $?
${ssh} -F ${config} -p ${port} real "$@"
status=$?
${ssh} -S "$folder/control" -O exit real 2>/dev/null
finish $status
`;
}

/** Writes a program. */
export function writeProgram(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o755 });
}
