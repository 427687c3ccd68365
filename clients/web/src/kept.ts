// What outlives a reload: files in IndexedDB (images, frames), and what is small in sessionStorage.

const DATABASE = "seem";
const FILES = "files";
const USED = "used"; // when a sweep saw it first
const NOTES = "seem-session";
const TOKEN = "seem-token";

function opened(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(FILES);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function within<T>(mode: IDBTransactionMode, ask: (files: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await opened();
  try {
    return await new Promise<T>((resolve, reject) => {
      const request = ask(database.transaction(FILES, mode).objectStore(FILES));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  } finally {
    database.close();
  }
}

const key = (session: string, what: string) => `${session}/${what}`;

/** Keeps a file; where the browser has no room, it is only not there after a reload. */
export async function keep(session: string, what: string, value: unknown): Promise<void> {
  await within("readwrite", (files) => files.put(value, key(session, what))).catch(() => undefined);
}

export async function kept<T>(session: string, what: string): Promise<T | undefined> {
  return (await within("readonly", (files) => files.get(key(session, what))).catch(() => undefined)) as T | undefined;
}

/** Forgets the files of a session. */
export async function forget(session: string): Promise<void> {
  const range = IDBKeyRange.bound(`${session}/`, `${session}/\uffff`);
  await within("readwrite", (files) => files.delete(range)).catch(() => undefined);
}

const OLD_MS = 14 * 24 * 3600 * 1000; // longer than a server keeps a session that nobody uses

/** Forgets what tabs left behind that were closed long ago. */
export async function sweep(): Promise<void> {
  const now = Date.now();
  const keys = ((await within("readonly", (files) => files.getAllKeys()).catch(() => [])) as IDBValidKey[]).map(String);
  const groups = new Set(keys.map((one) => one.slice(0, one.indexOf("/"))));
  for (const group of groups) {
    const used = await kept<number>(group, USED);
    if (used === undefined) await keep(group, USED, now);
    else if (now - used > OLD_MS) await forget(group);
  }
}

export function note(value: unknown): void {
  try {
    sessionStorage.setItem(NOTES, JSON.stringify(value));
  } catch {
    // no room, or not allowed: nothing is resumed then
  }
}

export function noted<T>(): T | undefined {
  try {
    const text = sessionStorage.getItem(NOTES);
    return text === null ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}

export const noteNothing = (): void => sessionStorage.removeItem(NOTES);

export const token = (): string => sessionStorage.getItem(TOKEN) ?? "";
export const keepToken = (value: string): void => sessionStorage.setItem(TOKEN, value);
