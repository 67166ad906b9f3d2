/** Files that the client sends or fetches over HTTP, followed as tasks of the API. */

import { taskEnd } from '../../client/events.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { ApiError } from '../../datamodel/errors.ts';
import { XeError } from './arguments.ts';
import type { Command } from './commands.ts';
import type { Work } from './work.ts';

/** The query of a transfer: session and task, then what the path wants. */
export const transferUrl = (path: string, query: Readonly<Record<string, string>>): string =>
  `${path}?${new URLSearchParams(query)}`;

/**
 * Has the client transfer `file` at `path` and waits for the task behind it. Answers the task's result. Rejects with the
 * task's error when it failed, with `XeError` when the client could not do it.
 */
export async function transfer(
  work: Work,
  way: 'httpGet' | 'httpPut',
  file: string,
  path: string,
  query: Readonly<Record<string, string>>,
): Promise<string> {
  const { client, screen } = work;
  const task = await client.task.create({ label: `xe ${work.request.command}`, description: file });
  try {
    const url = transferUrl(path, { session_id: client.$.session, task_id: task, ...query });
    const end = progress(work, task);
    // the task may fail while the client is still sending; until then nobody waits for it
    end.catch(() => undefined);
    const well = await screen.transfer({ do: way, file, url });
    if (!well) {
      // the server may know better why; a task whose transfer it never saw ends below, when it is destroyed
      const state = await client.task.get_record({ self: task });
      if (state.status === 'failure') throw ApiError.fromWire([...state.error_info]);
      throw new XeError(`The transfer of ${JSON.stringify(file)} failed`, [['file', file]]);
    }
    return await end;
  } finally {
    await client.task.destroy({ self: task }).catch((e: unknown) => work.log.debug('task stays', { error: String(e) }));
  }
}

/** Waits for a transfer's task; shows how far it is with `--progress`. */
async function progress(work: Work, task: Ref<'task'>): Promise<string> {
  let last = -1;
  const shown = work.request.progress;
  const onProgress = (fraction: number) => {
    const percent = Math.floor(fraction * 100);
    if (!shown || percent === last) return;
    last = percent;
    work.screen.printError(`\r${percent} %`);
    void work.screen.flush().catch(() => undefined);
  };
  try {
    return await taskEnd(work.client, task, { onProgress });
  } finally {
    if (shown) work.screen.printError('\n');
  }
}

/** Commands that are one transfer and nothing else. */
export async function runTransfer(work: Work, command: Command): Promise<void> {
  const { params } = work.request;
  const name = command.file ?? 'filename';
  const file = params.get(name) ?? defaultFile(command.name);
  const query: Record<string, string> = {};
  for (const option of command.optional) {
    const value = params.get(option);
    if (value !== undefined && option !== name) query[option.replaceAll('-', '_')] = value;
  }
  await transfer(work, command.get ? 'httpGet' : 'httpPut', file, command.get ?? command.put ?? '', query);
}

const defaultFile = (command: string) => {
  throw new XeError(`Missing parameter: file-name= (${command} needs a file)`, [['parameter', 'file-name']]);
};
