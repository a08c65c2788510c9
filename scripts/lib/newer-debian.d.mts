export function newerDebian(): {
  readonly folder: string;
  readonly release: string;
  readonly packages: readonly string[];
  readonly isThere: boolean;
};
