/** Property lists of launchd: launchd.plist(5). @module */
import { join } from "node:path";
import { type ServicePlan, type ServiceRequest, signature } from "./plan.ts";

/** Plans an agent of the user, or a daemon of the system. */
export function launchdPlan(request: ServiceRequest, uid: number = process.getuid?.() ?? 0): ServicePlan {
  const { name, isSystem, home } = request;
  const label = `io.github.postern.${name}`;
  const folder = isSystem ? "/Library/LaunchDaemons" : join(home, "Library", "LaunchAgents");
  const path = join(folder, `${label}.plist`);
  const domain = isSystem ? "system" : `gui/${uid}`;
  const log = join(isSystem ? "/Library/Logs" : join(home, "Library", "Logs"), `postern-${name}.log`);
  return {
    path,
    text: propertyList(request, label, log),
    install: [["launchctl", "bootstrap", domain, path]],
    uninstall: { before: [["launchctl", "bootout", `${domain}/${label}`]], after: [] },
    logs: ({ lines, follow }) => ["tail", "-n", String(lines), ...(follow ? ["-F"] : []), log],
    notes: isSystem ? [] : ["The service runs while you are logged in."],
  };
}

function propertyList(
  { isSystem, runAs, program, args, workingFolder }: ServiceRequest,
  label: string,
  log: string,
): string {
  const words = [...program, ...args].map((one) => `    <string>${escaped(one)}</string>`);
  const user = isSystem && runAs !== undefined ? `  <key>UserName</key>\n  <string>${escaped(runAs)}</string>\n` : "";
  return `<?xml version="1.0" encoding="UTF-8"?>
<!-- ${signature} -->
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${escaped(label)}</string>
  <key>ProgramArguments</key>
  <array>
${words.join("\n")}
  </array>
${user}  <key>WorkingDirectory</key>
  <string>${escaped(workingFolder)}</string>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>ThrottleInterval</key>
  <integer>5</integer>
  <key>ProcessType</key>
  <string>Background</string>
  <key>Umask</key>
  <integer>63</integer>
  <key>StandardOutPath</key>
  <string>${escaped(log)}</string>
  <key>StandardErrorPath</key>
  <string>${escaped(log)}</string>
</dict>
</plist>
`;
}

/** Escapes text for XML. */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
