/** The kinds of ground: a row each, loaded when chosen. */
export const backends = {
  /** `simulatorBackend(options)`. */
  simulator: () => import('./simulator/index.ts'),
  /** `qemuBackend(options)`. */
  qemu: () => import('./qemu/index.ts'),
  /** `xenBackend(options)`. */
  xen: () => import('./xen/index.ts'),
};
export type BackendKind = keyof typeof backends;
