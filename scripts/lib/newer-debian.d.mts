interface Place {
  readonly release: string;
  readonly folder: string;
  readonly isThere: boolean;
}
export function newerDebian(): Place & {
  readonly packages: readonly string[];
  readonly unpacked: readonly string[];
  readonly hasScripts: boolean;
};
export function nextDebian(): Place & { readonly packages: readonly string[] };
export function newerSshAudit(): Place & { readonly package: string; readonly sha256: string };
