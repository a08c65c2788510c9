export async function runInit(_args: readonly string[]): Promise<number> { throw new Error('todo'); }
