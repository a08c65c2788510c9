/**
 * Tasks of the Windows Task Scheduler. `sc.exe` needs a program that talks to the service manager, which Node.js does
 * not; a task needs none.
 * @module
 */
import { win32 } from "node:path";
import { escaped } from "./launchd.ts";
import { type ServicePlan, type ServiceRequest, signature, withLogFile } from "./plan.ts";

/** Plans a task that starts at the login of the user, or with the system. */
export function windowsPlan(request: ServiceRequest, env: NodeJS.ProcessEnv = process.env): ServicePlan {
  const { name, isSystem, home } = request;
  const base = isSystem
    ? (env.PROGRAMDATA ?? "C:\\ProgramData")
    : (env.LOCALAPPDATA ?? win32.join(home, "AppData", "Local"));
  const folder = win32.join(base, "postern", "services");
  const task = `Postern ${name}`;
  const path = win32.join(folder, `${name}.xml`);
  const log = win32.join(folder, `${name}.log`);
  return {
    path,
    text: taskText(request, log),
    install: [
      ["schtasks", "/Create", "/TN", task, "/XML", path, "/F"],
      ["schtasks", "/Run", "/TN", task],
    ],
    uninstall: {
      before: [
        ["schtasks", "/End", "/TN", task],
        ["schtasks", "/Delete", "/TN", task, "/F"],
      ],
      after: [],
    },
    logs: ({ lines, follow }) => [
      ...["powershell", "-NoProfile", "-Command"],
      `Get-Content -LiteralPath '${log.replaceAll("'", "''")}' -Tail ${lines}${follow ? " -Wait" : ""}`,
    ],
    notes: ["It is a scheduled task, not a service: Node.js programs cannot talk to the service manager of Windows."],
  };
}

function taskText({ isSystem, runAs, program, args, workingFolder }: ServiceRequest, log: string): string {
  const [node = "", ...rest] = [...program, ...withLogFile(args, log)];
  const principal = isSystem
    ? `<UserId>${escaped(runAs ?? "LOCAL SERVICE")}</UserId>`
    : "<LogonType>InteractiveToken</LogonType>";
  const trigger = isSystem ? "BootTrigger" : "LogonTrigger";
  return `<?xml version="1.0" encoding="UTF-8"?>
<!-- ${signature} -->
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers><${trigger}><Enabled>true</Enabled></${trigger}></Triggers>
  <Principals><Principal id="Author">${principal}<RunLevel>LeastPrivilege</RunLevel></Principal></Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>${escaped(node)}</Command>
      <Arguments>${escaped(rest.map(argument).join(" "))}</Arguments>
      <WorkingDirectory>${escaped(workingFolder)}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
`;
}

/** Quotes an argument as CommandLineToArgvW reads it: backslashes are doubled before a quotation mark only. */
function argument(text: string): string {
  if (text !== "" && !/[\s"]/.test(text)) return text;
  return `"${text.replaceAll(/(\\*)"/g, '$1$1\\"').replace(/\\+$/, "$&$&")}"`;
}
