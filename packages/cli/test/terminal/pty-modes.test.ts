import { type TerminalMode, terminalModes } from "@postern/ssh";
import { expect, test } from "vitest";
import { encodeSttyModes } from "../../src/terminal/pty-modes.ts";

/** `stty -a` of coreutils 9.1 on Linux. */
const linux = `speed 38400 baud; rows 60; columns 120; line = 0;
intr = ^C; quit = ^\\; erase = ^?; kill = ^U; eof = ^D; eol = <undef>;
eol2 = M-^?; swtch = <undef>; start = ^Q; stop = ^S; susp = ^Z; rprnt = ^R;
werase = ^W; lnext = ^V; discard = ^O; min = 1; time = 0;
-parenb -parodd -cmspar cs8 -hupcl -cstopb cread -clocal -crtscts
-ignbrk -brkint -ignpar -parmrk -inpck -istrip -inlcr -igncr icrnl ixon -ixoff
-iuclc -ixany -imaxbel iutf8
opost -olcuc -ocrnl onlcr -onocr -onlret -ofill -ofdel nl0 cr0 tab0 bs0 vt0 ff0
isig icanon iexten echo echoe echok -echonl -noflsh -xcase -tostop -echoprt
echoctl echoke -flusho -extproc
`;
/** `stty -a` of macOS, from its manual page's format. */
const mac = `speed 9600 baud; 24 rows; 80 columns;
lflags: icanon isig iexten echo echoe -echok echoke -echonl echoctl
\t-echoprt -altwerase -noflsh -tostop -flusho pendin -nokerninfo
\t-extproc
iflags: -istrip icrnl -inlcr -igncr ixon -ixoff ixany imaxbel iutf8
\t-ignbrk brkint -inpck -ignpar -parmrk
oflags: opost onlcr -oxtabs -onocr -onlret
cflags: cread cs8 -parenb -parodd hupcl -clocal -cstopb -crtscts -dsrflow
\t-dtrflow -mdmbuf
cchars: discard = ^O; dsusp = ^Y; eof = ^D; eol = <undef>;
\teol2 = <undef>; erase = ^?; intr = ^C; kill = ^U; lnext = ^V;
\tmin = 1; quit = ^\\; reprint = ^R; start = ^Q; status = ^T;
\tstop = ^S; susp = ^Z; time = 0; werase = ^W;
`;

const zero = (...modes: readonly TerminalMode[]) => Object.fromEntries(modes.map((mode) => [mode, 0]));

test("encodes what stty of Linux prints, in the order of ssh (RFC 4254 section 8)", () => {
  expect(encodeSttyModes(linux)).toEqual(
    terminalModes({
      TTY_OP_OSPEED: 38_400,
      TTY_OP_ISPEED: 38_400,
      VINTR: 3,
      VQUIT: 28,
      VERASE: 127,
      VKILL: 21,
      VEOF: 4,
      VEOL: 255,
      VEOL2: 255,
      VSTART: 17,
      VSTOP: 19,
      VSUSP: 26,
      VREPRINT: 18,
      VWERASE: 23,
      VLNEXT: 22,
      VSWTCH: 255,
      VDISCARD: 15,
      ...zero("IGNPAR", "PARMRK", "INPCK", "ISTRIP", "INLCR", "IGNCR"),
      ICRNL: 1,
      IUCLC: 0,
      IXON: 1,
      ...zero("IXANY", "IXOFF", "IMAXBEL"),
      IUTF8: 1,
      ISIG: 1,
      ICANON: 1,
      XCASE: 0,
      ECHO: 1,
      ECHOE: 1,
      ECHOK: 1,
      ...zero("ECHONL", "NOFLSH", "TOSTOP"),
      IEXTEN: 1,
      ECHOCTL: 1,
      ECHOKE: 1,
      OPOST: 1,
      OLCUC: 0,
      ONLCR: 1,
      ...zero("OCRNL", "ONOCR", "ONLRET", "CS7"),
      CS8: 1,
      ...zero("PARENB", "PARODD"),
    }),
  );
});

test("encodes what stty of macOS prints, which has other names", () => {
  expect(encodeSttyModes(mac)).toEqual(
    terminalModes({
      TTY_OP_OSPEED: 9600,
      TTY_OP_ISPEED: 9600,
      VINTR: 3,
      VQUIT: 28,
      VERASE: 127,
      VKILL: 21,
      VEOF: 4,
      VEOL: 255,
      VEOL2: 255,
      VSTART: 17,
      VSTOP: 19,
      VSUSP: 26,
      VDSUSP: 25,
      VREPRINT: 18,
      VWERASE: 23,
      VLNEXT: 22,
      VSTATUS: 20,
      VDISCARD: 15,
      ...zero("IGNPAR", "PARMRK", "INPCK", "ISTRIP", "INLCR", "IGNCR"),
      ICRNL: 1,
      IXON: 1,
      IXANY: 1,
      IXOFF: 0,
      IMAXBEL: 1,
      IUTF8: 1,
      ISIG: 1,
      ICANON: 1,
      ECHO: 1,
      ECHOE: 1,
      ...zero("ECHOK", "ECHONL", "NOFLSH", "TOSTOP"),
      IEXTEN: 1,
      ECHOCTL: 1,
      ECHOKE: 1,
      PENDIN: 1,
      OPOST: 1,
      ONLCR: 1,
      ...zero("ONOCR", "ONLRET", "CS7"),
      CS8: 1,
      ...zero("PARENB", "PARODD"),
    }),
  );
});

test("encodes two speeds, and characters that are printed as they are", () => {
  const text =
    "ispeed 9600 baud; ospeed 38400 baud; intr = a; quit = ;; erase = M-^H; kill = M-x; eof = -;\n-echo cs7\n";
  expect(encodeSttyModes(text)).toEqual(
    terminalModes({
      TTY_OP_OSPEED: 38_400,
      TTY_OP_ISPEED: 9600,
      VINTR: 0x61,
      VQUIT: 0x3b,
      VERASE: 0x88,
      VKILL: 0xf8,
      VEOF: 0x2d,
      ECHO: 0,
      CS7: 1,
      CS8: 0,
    }),
  );
});

test("sends no modes if stty printed nothing that it knows", () => {
  expect(encodeSttyModes("stty: invalid argument\n")).toEqual(terminalModes({}));
});
