/**
 * What to do about a VM whose record may not fit the world: pure. Asked after a failed operation (`failed`), when the
 * toolstack starts (`found`), and when a step ended that had been given up (`late`, without an operation's mark).
 */
import type { Observed } from './backend.ts';
import type { VmRecord } from './record.ts';

export type Verdict =
  /** The domain is the VM's: keep it, mend its devices. */
  | { readonly do: 'adopt'; readonly unpause?: boolean; readonly dropImage?: boolean }
  /** Destroy what there is; the VM is Halted, or Suspended when it has an image. */
  | { readonly do: 'destroy' }
  /** Its domain is gone by itself. */
  | { readonly do: 'lost' }
  /** Destroy what there is, then start it again. */
  | { readonly do: 'restart' };
export type How = 'failed' | 'found' | 'late';

export function verdict(
  r: Pick<VmRecord, 'run' | 'suspended' | 'operation'>,
  seen: Pick<Observed, 'power' | 'domid'> | undefined,
  how: How,
): Verdict {
  if (!r.run) return { do: 'destroy' };
  switch (r.operation) {
    case 'start':
      // The guest runs: only the answer was lost. Otherwise it is half made.
      return how === 'found' && (seen?.power === 'running' || seen?.power === 'ended')
        ? { do: 'adopt' }
        : { do: 'destroy' };
    case 'resume':
    case 'resumePaused':
      // Once the image was given up, the domain holds the only copy of the guest.
      if (r.suspended !== null || !seen) return { do: 'destroy' };
      return { do: 'adopt', unpause: how === 'found' && r.operation === 'resume' && seen.power === 'paused' };
    case 'suspend':
      if (r.suspended) return seen?.power === 'running' ? { do: 'adopt', dropImage: true } : { do: 'destroy' };
      if (!seen) return { do: 'lost' };
      return { do: 'adopt', unpause: seen.power === 'paused' };
    case 'migrate':
      // It was not moved, or is in its new domain already: whoever knows has been asked before.
      if (!seen) return { do: 'lost' };
      return { do: 'adopt', unpause: seen.power === 'paused' };
    case 'reboot': {
      const old = seen?.domid === r.run.domid;
      if (how !== 'found') return old ? { do: 'adopt' } : { do: 'destroy' };
      return seen?.power === 'running' ? { do: 'adopt' } : { do: 'restart' };
    }
    case 'shutdown':
      return seen && (seen.power !== 'ended' || how !== 'found') ? { do: 'adopt' } : { do: 'destroy' };
    case null:
      return seen ? { do: 'adopt' } : { do: 'lost' };
  }
}
