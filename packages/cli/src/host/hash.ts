export async function runHash(_args: readonly string[]): Promise<number> { throw new Error('todo'); }
