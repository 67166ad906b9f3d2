/**
 * Emits where Xen's structures have their fields, for `src/xen/layout.ts`: compiles a small program against the headers of
 * Debian's libxen-dev and runs it. `bin/node tools/xen-layout.ts > src/xen/layout.ts`, then look at the difference.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Structure → the fields that the bindings read or write. */
const wanted: Readonly<Record<string, readonly string[]>> = {
  xc_dom_image: [
    ...['cmdline', 'console_pfn', 'xenstore_pfn', 'pv_p2m', 'p2m_size', 'total_pages', 'flags', 'console_evtchn'],
    ...['xenstore_evtchn', 'console_domid', 'xenstore_domid', 'xch', 'guest_domid', 'claim_enabled', 'container_type'],
    ...['target_pages', 'mmio_start', 'mmio_size', 'lowmem_end', 'highmem_end', 'vga_hole_size', 'device_model'],
    ...['system_firmware_module', 'acpi_modules', 'e820', 'e820_entries', 'max_vcpus'],
  ],
  xc_hvm_firmware_module: ['data', 'length', 'guest_addr_out'],
  xen_domctl_createdomain: [
    ...['handle', 'flags', 'max_vcpus', 'max_evtchn_port', 'max_grant_frames', 'max_maptrack_frames', 'grant_opts'],
    ...['arch'],
  ],
  xen_domctl_getdomaininfo: [
    ...['domain', 'flags', 'tot_pages', 'max_pages', 'cpu_time', 'nr_online_vcpus', 'max_vcpu_id', 'handle'],
  ],
  xen_sysctl_physinfo: ['nr_cpus', 'cpu_khz', 'capabilities', 'total_pages', 'free_pages', 'scrub_pages'],
  xen_domctl_sched_credit: ['weight', 'cap'],
  xen_domctl_sched_credit2: ['weight', 'cap'],
  save_callbacks: [
    'suspend',
    'precopy_policy',
    'postcopy',
    'checkpoint',
    'wait_checkpoint',
    'switch_qemu_logdirty',
    'data',
  ],
  restore_callbacks: [
    'static_data_done',
    'suspend',
    'postcopy',
    'checkpoint',
    'wait_checkpoint',
    'restore_results',
    'data',
  ],
  precopy_stats: ['iteration', 'total_written', 'dirty_count'],
  xc_error: ['code', 'message'],
};
/** Names that are no `struct` of their own. */
const typedefs = new Set(['xc_error']);

function source(): string {
  const lines = Object.entries(wanted).map(([name, fields]) => {
    const type = typedefs.has(name) ? name : `struct ${name}`;
    const each = fields.map((f) => `printf("    ${f}: %zu,\\n", offsetof(${type}, ${f}));`).join('\n');
    return `printf("  ${name}: {\\n    size: %zu,\\n", sizeof(${type}));\n${each}\nprintf("  },\\n");`;
  });
  const headers = ['stdio', 'stddef', 'stdbool', 'stdint', 'xenctrl', 'xenguest'].map((h) => `#include <${h}.h>`);
  const { version, start } = head;
  return [
    '#define __XEN_TOOLS__ 1',
    ...headers,
    '#include <xen/sysctl.h>',
    'int main(void) {',
    `puts(${JSON.stringify(start)});`,
    ...lines,
    `puts(${JSON.stringify(version)});`,
    'return 0; }',
  ].join('\n');
}
const head = {
  start:
    '/**\n * Where the structures of Xen 4.17 on x86-64 have their fields: bytes from their start, and their sizes.\n * Made by tools/xen-layout.ts from the headers of libxen-dev; belongs to this one version of Xen.\n */\nexport const layout = {',
  version: '} as const;',
};

const folder = mkdtempSync(join(tmpdir(), 'xen-layout-'));
try {
  const [file, program] = [join(folder, 'layout.c'), join(folder, 'layout')];
  writeFileSync(file, source());
  execFileSync('cc', ['-o', program, file], { stdio: ['ignore', 'inherit', 'inherit'] });
  process.stdout.write(execFileSync(program));
} finally {
  rmSync(folder, { recursive: true });
}
