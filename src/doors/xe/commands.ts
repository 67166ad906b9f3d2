/**
 * Every command that is written out (the families `X-list`, `X-param-…` are made from `records/`). A command either calls one
 * message of the API, is a transfer over HTTP, or has its own code in `verbs/`.
 */

export interface Command {
  readonly name: string;
  readonly required: readonly string[];
  /** A name that ends in `:` takes keys: `device-config:location=…`. */
  readonly optional: readonly string[];
  /** One sentence; for a command with `call`, the message's own is used. */
  readonly does?: string;
  /** The message that it calls, with parameters by name: see `call.ts`. */
  readonly call?: string;
  /** Where parameters of the message come from when the names differ: see `call.ts`. */
  readonly args?: Readonly<Record<string, string>>;
  /** The message to call instead with `--force`. */
  readonly forced?: string;
  /** A sentence to confirm first, unless `--force`. */
  readonly confirm?: string;
  /** Runs on the objects that selectors pick: `vm=`, `host=`, `sr=` or any field. */
  readonly select?: 'VM' | 'host' | 'SR';
  /** A download from this path, into the file that the parameter `file` names. */
  readonly get?: string;
  /** An upload to this path. */
  readonly put?: string;
  readonly file?: string;
  /** Known by name only: this server has nothing behind it. */
  readonly absent?: boolean;
  /** Left out of `help --all`. */
  readonly hidden?: boolean;
  readonly deprecated?: boolean;
  /** Listed by a plain `help`. */
  readonly standard?: boolean;
}

type Options = Omit<Command, 'name' | 'required' | 'optional'>;
const words = (s: string): readonly string[] => (s ? s.split(' ') : []);
const command = (name: string, required: string, optional: string, options: Options): Command => ({
  name,
  required: words(required),
  optional: words(optional),
  ...options,
});

export const commands: readonly Command[] = [
  command('blob-get', 'uuid filename', '', {
    does: 'Fetch the content of a blob into a file.',
    absent: true,
    hidden: true,
  }),
  command('blob-put', 'uuid filename', '', {
    does: 'Store a file as the content of a blob.',
    absent: true,
    hidden: true,
  }),
  command('blob-create', 'name', 'mime-type vm-uuid host-uuid sr-uuid network-uuid pool-uuid public', {
    does: 'Make an empty blob for one object.',
    absent: true,
    hidden: true,
  }),
  command('message-create', 'name priority body', 'vm-uuid host-uuid sr-uuid pool-uuid', {
    does: 'Record a message about one object.',
  }),
  command('message-destroy', '', 'uuid uuids', { does: 'Remove one message by uuid, or several by uuids=A,B.' }),
  command('message-destroy-all', '', 'before after priority', {
    does: 'Remove every message that the filters select.',
  }),
  command('pool-enable-binary-storage', '', '', { call: 'pool.enable_binary_storage', hidden: true }),
  command('pool-disable-binary-storage', '', '', { call: 'pool.disable_binary_storage', hidden: true }),
  command('pool-designate-new-master', 'host-uuid', '', { call: 'pool.designate_new_master' }),
  command('pool-management-reconfigure', 'network-uuid', '', { call: 'pool.management_reconfigure' }),
  command('pool-sync-database', '', '', { call: 'pool.sync_database' }),
  command('pool-join', 'master-address master-username master-password', 'force', {
    call: 'pool.join',
    forced: 'pool.join_force',
  }),
  command('pool-emergency-reset-master', 'master-address', '', { call: 'pool.emergency_reset_master' }),
  command('pool-emergency-transition-to-master', '', 'force', { call: 'pool.emergency_transition_to_master' }),
  command('pool-recover-slaves', '', '', { call: 'pool.recover_slaves' }),
  command('pool-eject', 'host-uuid', '', { call: 'pool.eject' }),
  command('pool-dump-database', 'file-name', '', {
    does: 'Save the pool database in a file.',
    get: '/pool/xmldbdump',
    file: 'file-name',
  }),
  command('pool-restore-database', 'file-name', 'dry-run', {
    does: 'Replace the pool database by a saved one.',
    put: '/pool/xmldbdump',
    file: 'file-name',
  }),
  command('pool-enable-external-auth', 'auth-type service-name', 'uuid config:', { call: 'pool.enable_external_auth' }),
  command('pool-disable-external-auth', '', 'uuid config:', { call: 'pool.disable_external_auth' }),
  command('pool-external-auth-set-ldaps', 'ldaps', 'uuid force', { call: 'pool.external_auth_set_ldaps' }),
  command('pool-initialize-wlb', 'wlb_url wlb_username wlb_password xenserver_username xenserver_password', '', {
    call: 'pool.initialize_wlb',
  }),
  command('pool-deconfigure-wlb', '', '', { call: 'pool.deconfigure_wlb' }),
  command('pool-send-wlb-configuration', '', 'config:', { call: 'pool.send_wlb_configuration' }),
  command('pool-retrieve-wlb-configuration', '', '', { call: 'pool.retrieve_wlb_configuration' }),
  command('pool-retrieve-wlb-recommendations', '', '', { call: 'pool.retrieve_wlb_recommendations' }),
  command('pool-retrieve-wlb-report', 'report', 'filename', {
    does: 'Fetch a report of the workload balancing server.',
    absent: true,
  }),
  command('pool-retrieve-wlb-diagnostics', '', 'filename', {
    does: 'Fetch the diagnostics of the workload balancing server.',
    absent: true,
  }),
  command('pool-send-test-post', 'dest-host dest-port body', '', {
    call: 'pool.send_test_post',
    args: { host: 'dest-host', port: 'dest-port' },
  }),
  command('pool-certificate-install', 'filename', '', {
    call: 'pool.certificate_install',
    args: { name: '/filename', cert: '<filename' },
    deprecated: true,
  }),
  command('pool-certificate-uninstall', 'name', '', { call: 'pool.certificate_uninstall', deprecated: true }),
  command('pool-install-ca-certificate', 'filename', '', {
    call: 'pool.install_ca_certificate',
    args: { name: '/filename', cert: '<filename' },
  }),
  command('pool-uninstall-ca-certificate', 'name', 'force', { call: 'pool.uninstall_ca_certificate' }),
  command('pool-certificate-list', '', '', { call: 'pool.certificate_list', deprecated: true }),
  command('pool-crl-install', 'filename', '', {
    call: 'pool.crl_install',
    args: { name: '/filename', cert: '<filename' },
  }),
  command('pool-crl-uninstall', 'name', '', { call: 'pool.crl_uninstall' }),
  command('pool-crl-list', '', '', { call: 'pool.crl_list' }),
  command('pool-certificate-sync', '', '', { call: 'pool.certificate_sync' }),
  command('pool-enable-tls-verification', '', '', { call: 'pool.enable_tls_verification' }),
  command('pool-enable-client-certificate-auth', 'name', '', { call: 'pool.enable_client_certificate_auth' }),
  command('pool-disable-client-certificate-auth', '', '', { call: 'pool.disable_client_certificate_auth' }),
  command('pool-set-vswitch-controller', 'address', '', { call: 'pool.set_vswitch_controller', hidden: true }),
  command('pool-disable-ssl-legacy', '', 'uuid', { call: 'pool.disable_ssl_legacy', deprecated: true }),
  command('pool-secret-rotate', '', '', { call: 'pool.rotate_secret' }),
  command('pool-sync-updates', '', 'force token token-id username password', { call: 'pool.sync_updates' }),
  command('pool-reset-telemetry-uuid', '', '', { call: 'pool.reset_telemetry_uuid' }),
  command('pool-get-guest-secureboot-readiness', '', '', { call: 'pool.get_guest_secureboot_readiness' }),
  command('pool-get-cpu-features', '', '', { does: 'Print the CPU features that all hosts of the pool have.' }),
  command('host-is-in-emergency-mode', '', '', { call: 'host.is_in_emergency_mode' }),
  command('host-forget', 'uuid', '', {
    call: 'host.destroy',
    args: { self: 'uuid' },
    confirm: 'This host is forgotten, with all that is recorded of it.',
  }),
  command('host-declare-dead', 'uuid', '', { call: 'host.declare_dead' }),
  command('host-disable', '', 'auto-enable', { call: 'host.disable', select: 'host' }),
  command('host-sync-data', '', '', { call: 'host.sync_data', select: 'host' }),
  command('host-enable', '', '', { call: 'host.enable', select: 'host' }),
  command('host-enable-local-storage-caching', 'sr-uuid', '', {
    call: 'host.enable_local_storage_caching',
    select: 'host',
  }),
  command('host-disable-local-storage-caching', '', '', { call: 'host.disable_local_storage_caching', select: 'host' }),
  command('pool-enable-local-storage-caching', 'uuid', '', { call: 'pool.enable_local_storage_caching' }),
  command('pool-disable-local-storage-caching', 'uuid', '', { call: 'pool.disable_local_storage_caching' }),
  command('pool-apply-edition', 'edition', 'uuid license-server-address license-server-port', {
    call: 'pool.apply_edition',
  }),
  command('pool-configure-repository-proxy', 'proxy-url', 'proxy-username proxy-password', {
    call: 'pool.configure_repository_proxy',
    args: { url: 'proxy-url', username: 'proxy-username', password: 'proxy-password' },
  }),
  command('pool-disable-repository-proxy', '', '', { call: 'pool.disable_repository_proxy' }),
  command('pool-install-trusted-certificate', 'filename ca', 'uuid purpose', {
    call: 'pool.install_trusted_certificate',
    args: { cert: '<filename' },
  }),
  command('pool-uninstall-trusted-certificate', 'certificate-uuid', 'uuid', {
    call: 'pool.uninstall_trusted_certificate',
  }),
  command('host-shutdown', '', '', { call: 'host.shutdown', select: 'host' }),
  command('host-reboot', '', '', { call: 'host.reboot', select: 'host' }),
  command('host-power-on', '', '', { call: 'host.power_on', select: 'host' }),
  command('host-prepare-for-poweroff', '', '', { call: 'host.prepare_for_poweroff', hidden: true }),
  command('host-dmesg', '', '', { call: 'host.dmesg', select: 'host' }),
  command('host-crashdump-upload', 'uuid', 'url http_proxy', {
    call: 'host_crashdump.upload',
    args: { options: '{http_proxy}' },
  }),
  command('host-crashdump-destroy', 'uuid', '', { call: 'host_crashdump.destroy' }),
  command('host-bugreport-upload', '', 'url http_proxy', {
    call: 'host.bugreport_upload',
    args: { options: '{http_proxy}' },
    select: 'host',
  }),
  command('host-backup', 'file-name', '', {
    does: 'Save a backup of a host in a file.',
    get: '/host_backup',
    file: 'file-name',
    select: 'host',
  }),
  command('host-restore', 'file-name', '', {
    does: 'Restore a host from a backup.',
    put: '/host_restore',
    file: 'file-name',
    select: 'host',
  }),
  command('host-logs-download', '', 'file-name', {
    does: 'Save the logs of a host in a file.',
    get: '/host_logs_download',
    file: 'file-name',
    select: 'host',
  }),
  command('host-signal-networking-change', '', '', { call: 'host.signal_networking_change', hidden: true }),
  command('host-send-debug-keys', 'host-uuid keys', '', { call: 'host.send_debug_keys' }),
  command('host-notify', 'type', 'params', { call: 'host.notify', args: { ty: 'type' }, hidden: true }),
  command('host-syslog-reconfigure', 'host-uuid', '', { call: 'host.syslog_reconfigure' }),
  command('host-emergency-management-reconfigure', 'interface', '', { call: 'host.local_management_reconfigure' }),
  command('host-emergency-ha-disable', '', 'force soft', { call: 'host.emergency_ha_disable' }),
  command('host-emergency-reset-server-certificate', '', '', { call: 'host.emergency_reset_server_certificate' }),
  command('host-emergency-disable-tls-verification', '', '', { call: 'host.emergency_disable_tls_verification' }),
  command('host-emergency-reenable-tls-verification', '', '', { call: 'host.emergency_reenable_tls_verification' }),
  command('host-reset-server-certificate', '', '', { call: 'host.reset_server_certificate', select: 'host' }),
  command('host-management-reconfigure', 'pif-uuid', '', { call: 'host.management_reconfigure' }),
  command('host-management-disable', '', '', { call: 'host.management_disable' }),
  command('host-compute-free-memory', '', '', { call: 'host.compute_free_memory', select: 'host' }),
  command('host-compute-memory-overhead', '', '', { call: 'host.compute_memory_overhead', select: 'host' }),
  command('host-get-system-status-capabilities', '', '', {
    call: 'host.get_system_status_capabilities',
    select: 'host',
  }),
  command('host-get-system-status', 'filename', 'entries output', {
    does: 'Save a status report of a host in a file.',
    get: '/system-status',
    file: 'filename',
    select: 'host',
  }),
  command('host-set-hostname-live', 'host-uuid host-name', '', {
    call: 'host.set_hostname_live',
    args: { host: 'host-uuid', hostname: 'host-name' },
    select: 'host',
  }),
  command('host-set-power-on-mode', 'power-on-mode', 'power-on-config', {
    call: 'host.set_power_on_mode',
    select: 'host',
  }),
  command('host-call-plugin', 'host-uuid plugin fn', 'args:', { call: 'host.call_plugin' }),
  command('host-retrieve-wlb-evacuate-recommendations', 'uuid', '', {
    call: 'host.retrieve_wlb_evacuate_recommendations',
    hidden: true,
  }),
  command('host-enable-external-auth', 'host-uuid auth-type service-name', 'config:', {
    call: 'host.enable_external_auth',
    hidden: true,
  }),
  command('host-disable-external-auth', 'host-uuid', 'config:', { call: 'host.disable_external_auth', hidden: true }),
  command('host-external-auth-set-ldaps', 'host-uuid ldaps', 'force', {
    call: 'host.external_auth_set_ldaps',
    hidden: true,
  }),
  command('host-refresh-pack-info', 'host-uuid', '', { call: 'host.refresh_pack_info', hidden: true }),
  command('host-cpu-info', '', 'uuid', { call: 'host.get_cpu_info', args: { self: 'uuid' } }),
  command('host-get-cpu-features', '', 'uuid', { does: 'Print the CPU features of a host.' }),
  command('host-enable-display', 'uuid', '', { call: 'host.enable_display' }),
  command('host-disable-display', 'uuid', '', { call: 'host.disable_display' }),
  command('host-apply-updates', 'hash', '', { call: 'host.apply_updates', select: 'host' }),
  command('host-enable-ssh', '', '', { call: 'host.enable_ssh', select: 'host' }),
  command('host-disable-ssh', '', '', { call: 'host.disable_ssh', select: 'host' }),
  command('host-emergency-clear-mandatory-guidance', '', '', { call: 'host.emergency_clear_mandatory_guidance' }),
  command('patch-upload', 'file-name', '', {
    does: 'Upload a patch to the pool.',
    put: '/pool_patch_upload',
    file: 'file-name',
  }),
  command('patch-destroy', 'uuid', '', { call: 'pool_patch.destroy' }),
  command('update-upload', 'file-name', 'sr-uuid', { does: 'Upload an update to the pool.', absent: true }),
  command('patch-precheck', 'uuid host-uuid', '', { call: 'pool_patch.precheck' }),
  command('patch-apply', 'uuid host-uuid', '', { call: 'pool_patch.apply' }),
  command('patch-pool-apply', 'uuid', '', { call: 'pool_patch.pool_apply' }),
  command('patch-clean', 'uuid', '', { call: 'pool_patch.clean' }),
  command('patch-pool-clean', 'uuid', '', { call: 'pool_patch.pool_clean' }),
  command('update-introduce', 'vdi-uuid', '', { call: 'pool_update.introduce' }),
  command('update-precheck', 'uuid', '', {
    does: 'Check that an update could be applied to a host.',
    absent: true,
    select: 'host',
  }),
  command('update-apply', 'uuid', '', { does: 'Apply an update to a host.', absent: true, select: 'host' }),
  command('update-pool-apply', 'uuid', '', { call: 'pool_update.pool_apply' }),
  command('update-pool-clean', 'uuid', '', { call: 'pool_update.pool_clean' }),
  command('update-destroy', 'uuid', '', { call: 'pool_update.destroy' }),
  command('update-resync-host', 'host-uuid', '', { call: 'pool_update.resync_host', hidden: true }),
  command('user-password-change', 'new', 'old', {
    call: 'session.change_password',
    args: { old_pwd: 'old', new_pwd: 'new' },
  }),
  command('vm-compute-memory-overhead', '', '', { call: 'VM.compute_memory_overhead', select: 'VM' }),
  command('vm-memory-balloon', 'target', '', {
    does: 'Former way to set the memory target; use vm-memory-target-set.',
    absent: true,
    deprecated: true,
  }),
  command('vm-memory-dynamic-range-set', 'min max', '', { call: 'VM.set_memory_dynamic_range', select: 'VM' }),
  command('vm-memory-static-range-set', 'min max', '', { call: 'VM.set_memory_static_range', select: 'VM' }),
  command('vm-memory-limits-set', 'static-min static-max dynamic-min dynamic-max', '', {
    call: 'VM.set_memory_limits',
    select: 'VM',
  }),
  command('vm-memory-set', 'memory', '', { call: 'VM.set_memory', args: { value: 'memory' }, select: 'VM' }),
  command('vm-memory-target-set', 'target', '', {
    call: 'VM.set_memory_dynamic_range',
    args: { min: 'target', max: 'target' },
    select: 'VM',
  }),
  command('vm-memory-target-wait', '', '', { call: 'VM.wait_memory_target_live', select: 'VM', hidden: true }),
  command('vm-data-source-list', '', '', { call: 'VM.get_data_sources', select: 'VM' }),
  command('vm-data-source-record', 'data-source', '', {
    call: 'VM.record_data_source',
    args: { data_source: 'data-source' },
    select: 'VM',
  }),
  command('vm-data-source-query', 'data-source', '', {
    call: 'VM.query_data_source',
    args: { data_source: 'data-source' },
    select: 'VM',
  }),
  command('vm-data-source-forget', 'data-source', '', {
    call: 'VM.forget_data_source_archives',
    args: { data_source: 'data-source' },
    select: 'VM',
  }),
  command('vm-memory-shadow-multiplier-set', 'multiplier', '', { call: 'VM.set_shadow_multiplier_live', select: 'VM' }),
  command('vm-clone', 'new-name-label', 'new-name-description', {
    does: 'Clone a VM, sharing its disks until they change; prints the uuid of the clone.',
    select: 'VM',
    standard: true,
  }),
  command('vm-snapshot', 'new-name-label', 'new-name-description ignore-vdi-uuids', {
    does: 'Take a snapshot of a VM and its disks; prints its uuid.',
    select: 'VM',
    standard: true,
  }),
  command('vm-snapshot-with-quiesce', 'new-name-label', 'new-name-description', {
    does: 'Take a snapshot while the guest holds its file systems still; prints its uuid.',
    select: 'VM',
    standard: true,
  }),
  command('vm-checkpoint', 'new-name-label', 'new-name-description', {
    does: 'Take a snapshot of a VM with its disks and memory; prints its uuid.',
    select: 'VM',
    standard: true,
  }),
  command('vm-copy', 'new-name-label', 'new-name-description sr-uuid', {
    does: 'Copy a VM with full copies of its disks; prints the uuid of the copy.',
    select: 'VM',
    standard: true,
  }),
  command('snapshot-revert', '', 'uuid snapshot-uuid', {
    call: 'VM.revert',
    args: { snapshot: 'uuid|snapshot-uuid' },
    standard: true,
  }),
  command(
    'vm-install',
    'new-name-label',
    'sr-name-label sr-uuid template copy-bios-strings-from user-data-file meta-data-file network-config-file',
    {
      does: 'Make a VM from a template and provision its disks; prints its uuid. The files are for cloud-init in its guest.',
      standard: true,
    },
  ),
  command('vm-uninstall', '', 'force', {
    does: 'Destroy a VM and the disks that belong to it, after a question.',
    select: 'VM',
    standard: true,
  }),
  command('console', '', '', { does: 'Connect to the serial console of a VM; leave it with Ctrl-].', select: 'VM' }),
  command('vm-query-services', '', '', { call: 'VM.query_services', select: 'VM', hidden: true, standard: true }),
  command('vm-start', '', 'force on paused', {
    does: 'Start a VM, on the host named by on= when given.',
    select: 'VM',
    standard: true,
  }),
  command('vm-suspend', '', '', { call: 'VM.suspend', select: 'VM', standard: true }),
  command('vm-resume', '', 'force on', {
    does: 'Resume a suspended VM, on the host named by on= when given.',
    select: 'VM',
    standard: true,
  }),
  command('vm-shutdown', '', 'force', {
    does: 'Shut a VM down cleanly, or at once with --force.',
    select: 'VM',
    standard: true,
  }),
  command('vm-reset-powerstate', '', 'force', {
    does: 'Record a VM as halted without touching it; needs --force.',
    select: 'VM',
    standard: true,
  }),
  command('snapshot-reset-powerstate', '', 'uuid snapshot-uuid force', {
    does: 'Record a snapshot as halted; needs --force.',
    select: 'VM',
    standard: true,
  }),
  command('vm-reboot', '', 'force', {
    does: 'Reboot a VM cleanly, or at once with --force.',
    select: 'VM',
    standard: true,
  }),
  command('vm-compute-maximum-memory', 'total', 'approximate', {
    call: 'VM.maximise_memory',
    select: 'VM',
    standard: true,
  }),
  command('vm-retrieve-wlb-recommendations', '', '', { call: 'VM.retrieve_wlb_recommendations', select: 'VM' }),
  command(
    'vm-migrate',
    '',
    'live host host-uuid remote-master remote-username remote-password remote-network force copy compress vif: vdi: image-format:',
    { does: 'Move a running VM to another host of the pool.', select: 'VM', standard: true },
  ),
  command('vm-restart-device-models', '', '', { call: 'VM.restart_device_models', select: 'VM', standard: true }),
  command('vm-pause', '', '', { call: 'VM.pause', select: 'VM', standard: true }),
  command('vm-unpause', '', '', { call: 'VM.unpause', select: 'VM', standard: true }),
  command('vm-disk-list', '', 'vbd-params vdi-params', {
    does: 'List the disks of a VM: each VBD with its VDI.',
    select: 'VM',
    standard: true,
  }),
  command('vm-crashdump-list', '', '', { does: 'List the crash dumps of a VM.', select: 'VM' }),
  command('vm-cd-add', 'cd-name device', '', {
    does: 'Give a VM a CD drive with the named disc in it.',
    select: 'VM',
    standard: true,
  }),
  command('vm-cd-list', '', 'vbd-params vdi-params', {
    does: 'List the CD drives of a VM: each VBD with its VDI.',
    select: 'VM',
    standard: true,
  }),
  command('vm-cd-remove', 'cd-name', '', {
    does: 'Remove the CD drive that holds the named disc.',
    select: 'VM',
    standard: true,
  }),
  command('vm-cd-eject', '', '', { does: 'Eject the disc of the CD drive of a VM.', select: 'VM', standard: true }),
  command('vm-cd-insert', 'cd-name', '', {
    does: 'Insert the named disc into the empty CD drive of a VM.',
    select: 'VM',
    standard: true,
  }),
  command('vm-vcpu-hotplug', 'new-vcpus', '', {
    call: 'VM.set_VCPUs_number_live',
    args: { nvcpu: 'new-vcpus' },
    select: 'VM',
  }),
  command('cd-list', '', 'params', { does: 'List the discs in all ISO storage repositories.', standard: true }),
  command('vm-disk-add', 'disk-size device', 'sr-uuid', {
    does: 'Make a disk and attach it to a VM; prints the uuid of the disk.',
    select: 'VM',
    standard: true,
  }),
  command('vm-disk-remove', 'device', '', {
    does: 'Detach a disk from a VM and destroy it.',
    select: 'VM',
    standard: true,
  }),
  command(
    'vm-import',
    '',
    'filename preserve sr-uuid force host-username host-password type remote-config dry-run metadata url format new-name-label memory vcpus firmware vdi:',
    { does: 'Import a VM from an XVA or OVA file, or a disk; prints its uuid.', standard: true },
  ),
  command(
    'vm-export',
    'filename',
    'preserve-power-state compress metadata excluded-device-types include-snapshots format ovf-version',
    {
      does: 'Export a VM to a file: XVA, or OVA with format=ova.',
      select: 'VM',
      standard: true,
    },
  ),
  command('vm-copy-bios-strings', 'host-uuid', '', { call: 'VM.copy_bios_strings', select: 'VM' }),
  command('vm-is-bios-customized', '', '', {
    does: 'Tell whether the BIOS strings of a VM were copied from a host.',
    select: 'VM',
  }),
  command('vm-call-plugin', 'vm-uuid plugin fn', 'args:', { call: 'VM.call_plugin' }),
  command('vm-call-host-plugin', 'vm-uuid plugin fn', 'args:', { call: 'VM.call_host_plugin' }),
  command(
    'snapshot-export-to-template',
    'filename snapshot-uuid',
    'preserve-power-state compress metadata excluded-device-types',
    { does: 'Export a snapshot to a file, as a template.', standard: true },
  ),
  command('snapshot-clone', 'new-name-label', 'uuid new-name-description', {
    does: 'Clone a snapshot into a template; prints its uuid.',
    standard: true,
  }),
  command('snapshot-copy', 'new-name-label', 'uuid new-name-description sr-uuid', {
    does: 'Copy a snapshot with full copies of its disks; prints the uuid of the copy.',
    standard: true,
  }),
  command('snapshot-uninstall', '', 'uuid snapshot-uuid force', {
    does: 'Destroy a snapshot and the disks that belong to it, after a question.',
    standard: true,
  }),
  command('snapshot-destroy', '', 'uuid snapshot-uuid', { call: 'VM.destroy', args: { self: 'uuid|snapshot-uuid' } }),
  command('snapshot-disk-list', '', 'uuid snapshot-uuid vbd-params vdi-params', {
    does: 'List the disks of a snapshot: each VBD with its VDI.',
    select: 'VM',
    standard: true,
  }),
  command('template-export', 'filename template-uuid', 'compress metadata excluded-device-types', {
    does: 'Export a template to a file.',
    standard: true,
  }),
  command('template-uninstall', 'template-uuid', 'force', {
    does: 'Destroy a template and the disks that belong to it, after a question.',
    standard: true,
  }),
  command('vm-vif-list', '', '', { does: 'List the network interfaces of a VM.', select: 'VM', standard: true }),
  command('vlan-create', 'pif-uuid vlan network-uuid', '', {
    call: 'VLAN.create',
    args: { tagged_PIF: 'pif-uuid', tag: 'vlan' },
  }),
  command('vlan-destroy', 'uuid', '', { call: 'VLAN.destroy' }),
  command('tunnel-create', 'pif-uuid network-uuid', 'protocol', {
    call: 'tunnel.create',
    args: { transport_PIF: 'pif-uuid' },
  }),
  command('tunnel-destroy', 'uuid', '', { call: 'tunnel.destroy' }),
  command('network-sriov-create', 'pif-uuid network-uuid', '', { call: 'network_sriov.create' }),
  command('network-sriov-destroy', 'uuid', '', { call: 'network_sriov.destroy' }),
  command('pif-unplug', 'uuid', '', { call: 'PIF.unplug' }),
  command('pif-plug', 'uuid', '', { call: 'PIF.plug' }),
  command('pif-reconfigure-ip', 'uuid mode', 'IP netmask gateway DNS', { call: 'PIF.reconfigure_ip' }),
  command('pif-reconfigure-ipv6', 'uuid mode', 'IPv6 gateway DNS', { call: 'PIF.reconfigure_ipv6' }),
  command('pif-set-primary-address-type', 'uuid primary_address_type', '', { call: 'PIF.set_primary_address_type' }),
  command('pif-scan', 'host-uuid', '', { call: 'PIF.scan' }),
  command('pif-introduce', 'host-uuid device', 'mac managed', { call: 'PIF.introduce' }),
  command('pif-forget', 'uuid', '', { call: 'PIF.forget' }),
  command('pif-db-forget', 'uuid', '', { call: 'PIF.db_forget', hidden: true }),
  command('bond-create', 'network-uuid pif-uuids', 'mac mode properties:', {
    call: 'Bond.create',
    args: { members: 'pif-uuids' },
  }),
  command('bond-destroy', 'uuid', '', { call: 'Bond.destroy' }),
  command('bond-set-mode', 'uuid mode', '', { call: 'Bond.set_mode', args: { value: 'mode' } }),
  command('vbd-create', 'vm-uuid device', 'vdi-uuid bootable type mode unpluggable', {
    does: 'Connect a disk or a CD drive to a VM; prints the uuid of the VBD.',
  }),
  command('vbd-destroy', 'uuid', '', { call: 'VBD.destroy' }),
  command('vbd-insert', 'uuid vdi-uuid', '', { call: 'VBD.insert' }),
  command('vbd-eject', 'uuid', '', { call: 'VBD.eject' }),
  command('vbd-plug', 'uuid', '', { call: 'VBD.plug' }),
  command('vbd-unplug', 'uuid', 'timeout force', { call: 'VBD.unplug', forced: 'VBD.unplug_force' }),
  command('vbd-pause', 'uuid', '', { call: 'VBD.pause', hidden: true }),
  command('vbd-unpause', 'uuid token', '', { call: 'VBD.unpause', hidden: true }),
  command(
    'sr-create',
    'name-label type',
    'name-description host-uuid device-config: shared physical-size content-type sm-config:',
    { call: 'SR.create' },
  ),
  command('sr-probe', 'type', 'host-uuid device-config: sm-config:', { call: 'SR.probe' }),
  command('sr-probe-ext', 'type', 'host-uuid device-config: sm-config:', { call: 'SR.probe_ext' }),
  command('sr-scan', 'uuid', '', { call: 'SR.scan' }),
  command('sr-introduce', 'name-label type uuid', 'name-description shared content-type', { call: 'SR.introduce' }),
  command('sr-destroy', 'uuid', '', { call: 'SR.destroy' }),
  command('sr-forget', 'uuid', '', { call: 'SR.forget' }),
  command('sr-update', 'uuid', '', { call: 'SR.update' }),
  command('sr-enable-database-replication', 'uuid', '', { call: 'SR.enable_database_replication' }),
  command('sr-disable-database-replication', 'uuid', '', { call: 'SR.disable_database_replication' }),
  command('sr-data-source-list', '', '', { call: 'SR.get_data_sources', select: 'SR' }),
  command('sr-data-source-record', 'data-source', '', {
    call: 'SR.record_data_source',
    args: { data_source: 'data-source' },
    select: 'SR',
  }),
  command('sr-data-source-query', 'data-source', '', {
    call: 'SR.query_data_source',
    args: { data_source: 'data-source' },
    select: 'SR',
  }),
  command('sr-data-source-forget', 'data-source', '', {
    call: 'SR.forget_data_source_archives',
    args: { data_source: 'data-source' },
    select: 'SR',
  }),
  command('vdi-create', 'sr-uuid name-label virtual-size', 'sm-config: sharable tags: type', {
    does: 'Make a disk in a storage repository; prints its uuid.',
  }),
  command('vdi-destroy', 'uuid', '', { call: 'VDI.destroy' }),
  command('vdi-forget', 'uuid', '', { call: 'VDI.forget' }),
  command('vdi-update', 'uuid', '', { call: 'VDI.update' }),
  command(
    'vdi-introduce',
    'uuid sr-uuid type location',
    'name-description sharable read-only managed other-config: xenstore-data: sm-config: name-label',
    { call: 'VDI.introduce', args: { uuid: 'uuid' } },
  ),
  command('vdi-import', 'uuid filename', 'format progress', { does: 'Write a file into a disk.' }),
  command('vdi-export', 'uuid filename', 'format base progress', { does: 'Read a disk into a file.' }),
  command('vdi-resize', 'uuid disk-size', 'online', { does: 'Grow a disk to disk-size.' }),
  command('vdi-generate-config', 'host-uuid uuid', '', {
    call: 'VDI.generate_config',
    args: { vdi: 'uuid' },
    hidden: true,
  }),
  command('vdi-copy', 'uuid', 'sr-uuid base-vdi-uuid into-vdi-uuid', { call: 'VDI.copy' }),
  command('vdi-pool-migrate', 'uuid sr-uuid', 'dest-img-format', {
    call: 'VDI.pool_migrate',
    args: { options: '{dest-img-format}' },
  }),
  command('vdi-clone', 'uuid', 'driver-params- new-name-label new-name-description', {
    does: 'Clone a disk, sharing its data until it changes; prints the uuid of the clone.',
  }),
  command('vdi-snapshot', 'uuid', 'driver-params-', { call: 'VDI.snapshot' }),
  command('vdi-unlock', 'uuid', 'force', { call: 'VDI.force_unlock', args: { vdi: 'uuid' } }),
  command('vdi-enable-cbt', 'uuid', '', { call: 'VDI.enable_cbt' }),
  command('vdi-disable-cbt', 'uuid', '', { call: 'VDI.disable_cbt' }),
  command('vdi-data-destroy', 'uuid', '', { call: 'VDI.data_destroy' }),
  command('vdi-list-changed-blocks', 'vdi-from-uuid vdi-to-uuid', '', { call: 'VDI.list_changed_blocks' }),
  command('diagnostic-vdi-status', 'uuid', '', { does: 'Print a disk and everything that is connected to it.' }),
  command('pbd-create', 'host-uuid sr-uuid', 'device-config:', { call: 'PBD.create' }),
  command('pbd-destroy', 'uuid', '', { call: 'PBD.destroy' }),
  command('pbd-plug', 'uuid', '', { call: 'PBD.plug' }),
  command('pbd-unplug', 'uuid', '', { call: 'PBD.unplug' }),
  command('network-create', 'name-label', 'name-description MTU bridge managed other-config:', {
    call: 'network.create',
  }),
  command('network-destroy', 'uuid', '', { call: 'network.destroy' }),
  command('network-attach', 'uuid host-uuid', '', { call: 'network.attach', hidden: true }),
  command('vif-create', 'device network-uuid vm-uuid', 'mac', {
    does: 'Connect a VM to a network; prints the uuid of the VIF.',
  }),
  command('vif-destroy', 'uuid', '', { call: 'VIF.destroy' }),
  command('vif-plug', 'uuid', '', { call: 'VIF.plug' }),
  command('vif-unplug', 'uuid', 'force', { call: 'VIF.unplug', forced: 'VIF.unplug_force' }),
  command('vif-configure-ipv4', 'uuid mode', 'address gateway', { call: 'VIF.configure_ipv4' }),
  command('vif-configure-ipv6', 'uuid mode', 'address gateway', { call: 'VIF.configure_ipv6' }),
  command('vif-move', 'uuid network-uuid', '', { call: 'VIF.move' }),
  command('vm-create', 'name-label', 'name-description', {
    does: 'Make a VM without disks or networks, halted; prints its uuid.',
    hidden: true,
  }),
  command('vm-destroy', 'uuid', '', { call: 'VM.destroy' }),
  command('vm-recover', 'uuid', 'database: force', {
    does: 'Recover a VM from the metadata in a disaster recovery disk.',
    absent: true,
  }),
  command('vm-assert-can-be-recovered', 'uuid', 'database:', {
    does: 'Check that a VM could be recovered from a disaster recovery disk.',
    absent: true,
  }),
  command('vm-set-uefi-mode', 'uuid mode', '', { call: 'VM.set_uefi_mode' }),
  command('vm-get-secureboot-readiness', 'uuid', '', { call: 'VM.get_secureboot_readiness' }),
  command('vm-update-secureboot-certificates-on-boot', 'mark', '', {
    call: 'VM.update_secureboot_certificates_on_boot',
    select: 'VM',
  }),
  command('vm-group-create', 'name-label placement', 'name-description', { call: 'VM_group.create' }),
  command('vm-group-destroy', 'uuid', '', { call: 'VM_group.destroy' }),
  command('vm-sysprep', 'filename', 'timeout', { call: 'VM.sysprep', args: { unattend: '<filename' }, select: 'VM' }),
  command('diagnostic-vm-status', 'uuid', '', {
    does: 'Print a VM with its disks and where it could run.',
    standard: true,
  }),
  command('diagnostic-license-status', '', '', {
    does: 'Print what is known of the licence of every host.',
    absent: true,
  }),
  command('event-wait', 'class', '', {
    does: 'Wait for a change of an object: class=CLASS, uuid=, and FIELD=VALUE or FIELD=/=VALUE to wait for.',
  }),
  command('host-data-source-list', '', '', { call: 'host.get_data_sources', select: 'host' }),
  command('host-data-source-record', 'data-source', '', {
    call: 'host.record_data_source',
    args: { data_source: 'data-source' },
    select: 'host',
  }),
  command('host-data-source-query', 'data-source', '', {
    call: 'host.query_data_source',
    args: { data_source: 'data-source' },
    select: 'host',
  }),
  command('host-data-source-forget', 'data-source', '', {
    call: 'host.forget_data_source_archives',
    args: { data_source: 'data-source' },
    select: 'host',
  }),
  command('host-license-add', 'license-file', 'host-uuid', {
    call: 'host.license_add',
    args: { host: 'host-uuid', contents: '<license-file' },
  }),
  command('host-license-remove', '', 'host-uuid', { call: 'host.license_remove' }),
  command('host-license-view', '', 'host-uuid', { call: 'host.get_license_params', args: { self: 'host-uuid' } }),
  command('host-apply-edition', 'edition', 'host-uuid license-server-address license-server-port', {
    call: 'host.apply_edition',
    args: { host: 'host-uuid' },
  }),
  command('host-all-editions', '', '', { does: 'List the editions that a host could have.', absent: true }),
  command('host-evacuate', '', 'network-uuid batch-size', {
    call: 'host.evacuate',
    args: { evacuate_batch_size: 'batch-size' },
    select: 'host',
  }),
  command('host-get-vms-which-prevent-evacuation', 'uuid', '', { call: 'host.get_vms_which_prevent_evacuation' }),
  command('host-shutdown-agent', '', '', { call: 'host.shutdown_agent' }),
  command('host-update-firewalld-service-status', '', '', { call: 'host.update_firewalld_service_status' }),
  command('diagnostic-compact', '', '', { call: 'Diagnostics.gc_compact', select: 'host' }),
  command('diagnostic-gc-stats', '', '', { call: 'Diagnostics.gc_stats', select: 'host' }),
  command('diagnostic-timing-stats', '', '', { does: 'Print how long the calls of each kind took.', absent: true }),
  command('diagnostic-db-stats', '', '', { call: 'Diagnostics.db_stats' }),
  command('diagnostic-net-stats', '', 'uri method params', {
    call: 'Diagnostics.network_stats',
    args: { params: '{uri,method,params}' },
    select: 'host',
  }),
  command('host-get-sm-diagnostics', 'uuid', '', { call: 'host.get_sm_diagnostics' }),
  command('host-get-thread-diagnostics', 'uuid', '', { call: 'host.get_thread_diagnostics' }),
  command('host-sm-dp-destroy', 'uuid dp', 'allow-leak', { call: 'host.sm_dp_destroy' }),
  command('task-cancel', 'uuid', '', { call: 'task.cancel' }),
  command('pool-vlan-create', 'pif-uuid vlan network-uuid', '', {
    call: 'pool.create_VLAN_from_PIF',
    args: { pif: 'pif-uuid', VLAN: 'vlan' },
  }),
  command('pool-ha-enable', '', 'heartbeat-sr-uuids ha-config:', {
    call: 'pool.enable_ha',
    args: { heartbeat_srs: 'heartbeat-sr-uuids', configuration: 'ha-config:' },
  }),
  command('pool-ha-disable', '', '', { call: 'pool.disable_ha' }),
  command('pool-ha-prevent-restarts-for', 'seconds', '', { call: 'pool.ha_prevent_restarts_for', hidden: true }),
  command('pool-ha-compute-max-host-failures-to-tolerate', '', '', {
    call: 'pool.ha_compute_max_host_failures_to_tolerate',
  }),
  command('pool-ha-compute-hypothetical-max-host-failures-to-tolerate', '', 'vm-uuid restart-priority', {
    does: 'Tell how many host failures could be survived with other restart priorities.',
    absent: true,
  }),
  command('pool-ha-compute-vm-failover-plan', 'host-uuids', '', {
    call: 'pool.ha_compute_vm_failover_plan',
    args: { failed_hosts: 'host-uuids', failed_vms: '=[]' },
    hidden: true,
  }),
  command('pool-enable-redo-log', 'sr-uuid', '', { call: 'pool.enable_redo_log' }),
  command('pool-disable-redo-log', '', '', { call: 'pool.disable_redo_log' }),
  command('pool-configure-update-sync', 'update-sync-frequency update-sync-day', '', {
    call: 'pool.configure_update_sync',
  }),
  command('pool-set-update-sync-enabled', 'value', '', { call: 'pool.set_update_sync_enabled' }),
  command('pool-sync-bundle', 'filename', '', {
    does: 'Upload a bundle of updates to the pool.',
    put: '/bundle_upload',
    file: 'filename',
  }),
  command('pool-enable-ssh', '', '', { call: 'pool.enable_ssh' }),
  command('pool-disable-ssh', '', '', { call: 'pool.disable_ssh' }),
  command('host-ha-xapi-healthcheck', '', '', { call: 'host.ha_xapi_healthcheck', hidden: true }),
  command('subject-add', 'subject-name', '', {
    does: 'Let a user or group of the external directory log in.',
    absent: true,
  }),
  command('subject-remove', 'subject-uuid', '', { call: 'subject.destroy', args: { self: 'subject-uuid' } }),
  command('subject-role-add', 'uuid', 'role-name role-uuid', { does: 'Give a role to a user or group.' }),
  command('subject-role-remove', 'uuid', 'role-name role-uuid', { does: 'Take a role from a user or group.' }),
  command('audit-log-get', 'filename', 'since', {
    does: 'Save the audit log of the pool in a file.',
    get: '/audit_log',
    file: 'filename',
  }),
  command('session-subject-identifier-list', '', '', { call: 'session.get_all_subject_identifiers' }),
  command('session-subject-identifier-logout', 'subject-identifier', '', { call: 'session.logout_subject_identifier' }),
  command('session-subject-identifier-logout-all', '', '', {
    does: 'End the sessions of every user of the external directory.',
  }),
  command('host-get-server-certificate', '', '', { call: 'host.get_server_certificate', select: 'host' }),
  command('host-refresh-server-certificate', 'host', '', { call: 'host.refresh_server_certificate', select: 'host' }),
  command('host-server-certificate-install', 'certificate private-key', 'certificate-chain', {
    call: 'host.install_server_certificate',
    args: { certificate: '<certificate', private_key: '<private-key', certificate_chain: '<certificate-chain' },
    select: 'host',
  }),
  command('secret-create', 'value', '', { call: 'secret.create' }),
  command('secret-destroy', 'uuid', '', { call: 'secret.destroy' }),
  command('vmss-create', 'name-label type frequency', 'name-description enabled schedule: retained-snapshots', {
    call: 'VMSS.create',
  }),
  command('vmss-destroy', 'uuid', '', { call: 'VMSS.destroy' }),
  command('appliance-create', 'name-label', 'name-description', { call: 'VM_appliance.create' }),
  command('appliance-destroy', 'uuid', '', { call: 'VM_appliance.destroy' }),
  command('appliance-start', 'uuid', 'paused', { call: 'VM_appliance.start' }),
  command('appliance-shutdown', 'uuid', 'force', {
    call: 'VM_appliance.clean_shutdown',
    forced: 'VM_appliance.hard_shutdown',
  }),
  command('appliance-recover', 'uuid', 'database: force', {
    does: 'Recover an appliance from a disaster recovery disk.',
    absent: true,
  }),
  command('appliance-assert-can-be-recovered', 'uuid', 'database:', {
    does: 'Check that an appliance could be recovered from a disaster recovery disk.',
    absent: true,
  }),
  command('gpu-group-create', 'name-label', 'name-description', { call: 'GPU_group.create' }),
  command('gpu-group-destroy', 'uuid', '', { call: 'GPU_group.destroy', args: { self: 'uuid' } }),
  command('gpu-group-get-remaining-capacity', 'uuid vgpu-type-uuid', '', { call: 'GPU_group.get_remaining_capacity' }),
  command('vgpu-create', 'vm-uuid gpu-group-uuid', 'vgpu-type-uuid device', {
    call: 'VGPU.create',
    args: { type: 'vgpu-type-uuid', device: 'device', other_config: '={}' },
  }),
  command('vgpu-destroy', 'uuid', '', { call: 'VGPU.destroy' }),
  command('drtask-create', 'type', 'device-config: sr-whitelist', {
    call: 'DR_task.create',
    args: { whitelist: 'sr-whitelist' },
  }),
  command('drtask-destroy', 'uuid', '', { call: 'DR_task.destroy' }),
  command('pgpu-enable-dom0-access', 'uuid', '', { call: 'PGPU.enable_dom0_access' }),
  command('pgpu-disable-dom0-access', 'uuid', '', { call: 'PGPU.disable_dom0_access' }),
  command('lvhd-enable-thin-provisioning', 'sr-uuid initial-allocation allocation-quantum', '', {
    call: 'LVHD.enable_thin_provisioning',
    select: 'host',
  }),
  command('pvs-site-introduce', 'name-label', 'name-description pvs-uuid', { call: 'PVS_site.introduce' }),
  command('pvs-site-forget', 'uuid', '', { call: 'PVS_site.forget' }),
  command('pvs-server-introduce', 'addresses first-port last-port pvs-site-uuid', '', {
    call: 'PVS_server.introduce',
    args: { site: 'pvs-site-uuid' },
  }),
  command('pvs-server-forget', 'uuid', '', { call: 'PVS_server.forget' }),
  command('pvs-proxy-create', 'pvs-site-uuid vif-uuid', '', {
    call: 'PVS_proxy.create',
    args: { site: 'pvs-site-uuid' },
  }),
  command('pvs-proxy-destroy', 'uuid', '', { call: 'PVS_proxy.destroy' }),
  command('pvs-cache-storage-create', 'sr-uuid pvs-site-uuid size', '', {
    call: 'PVS_cache_storage.create',
    select: 'host',
  }),
  command('pvs-cache-storage-destroy', 'uuid', '', { call: 'PVS_cache_storage.destroy' }),
  command('sdn-controller-introduce', '', 'address protocol tcp-port', {
    call: 'SDN_controller.introduce',
    args: { port: 'tcp-port' },
  }),
  command('sdn-controller-forget', 'uuid', '', { call: 'SDN_controller.forget' }),
  command('pusb-scan', 'host-uuid', '', { call: 'PUSB.scan' }),
  command('vusb-create', 'usb-group-uuid vm-uuid', '', { call: 'VUSB.create', args: { other_config: '={}' } }),
  command('vusb-unplug', 'uuid', '', { call: 'VUSB.unplug' }),
  command('vusb-destroy', 'uuid', '', { call: 'VUSB.destroy' }),
  command('cluster-pool-create', 'network-uuid', 'cluster-stack token-timeout token-timeout-coefficient', {
    call: 'Cluster.pool_create',
  }),
  command('cluster-pool-force-destroy', 'cluster-uuid', '', {
    call: 'Cluster.pool_force_destroy',
    args: { self: 'cluster-uuid' },
  }),
  command('cluster-pool-destroy', 'cluster-uuid', '', { call: 'Cluster.pool_destroy', args: { self: 'cluster-uuid' } }),
  command('cluster-pool-resync', 'cluster-uuid', '', { call: 'Cluster.pool_resync', args: { self: 'cluster-uuid' } }),
  command('cluster-create', 'pif-uuid', 'cluster-stack pool-auto-join token-timeout token-timeout-coefficient', {
    call: 'Cluster.create',
    hidden: true,
  }),
  command('cluster-destroy', 'uuid', '', { call: 'Cluster.destroy' }),
  command('cluster-host-create', 'cluster-uuid host-uuid pif-uuid', '', { call: 'Cluster_host.create', hidden: true }),
  command('cluster-host-disable', 'uuid', '', { call: 'Cluster_host.disable' }),
  command('cluster-host-enable', 'uuid', '', { call: 'Cluster_host.enable' }),
  command('cluster-host-destroy', 'uuid', '', { call: 'Cluster_host.destroy' }),
  command('cluster-host-force-destroy', 'uuid', '', { call: 'Cluster_host.force_destroy' }),
  command('repository-introduce', 'name-label binary-url source-url update', 'name-description gpgkey-path', {
    call: 'Repository.introduce',
  }),
  command('repository-introduce-bundle', 'name-label', 'name-description', { call: 'Repository.introduce_bundle' }),
  command('repository-introduce-remote-pool', 'name-label binary-url certificate-file', 'name-description', {
    call: 'Repository.introduce_remote_pool',
    args: { certificate: '<certificate-file' },
  }),
  command('repository-forget', 'uuid', '', { call: 'Repository.forget' }),
  command('repository-set-gpgkey-path', 'uuid gpgkey-path', '', {
    call: 'Repository.set_gpgkey_path',
    args: { value: 'gpgkey-path' },
  }),
  command('hostdriver-select', 'uuid variant-name', '', {
    does: 'Choose a variant of a driver by its name.',
    absent: true,
  }),
  command('hostdriver-deselect', 'uuid', 'force', { call: 'Host_driver.deselect' }),
  command('hostdriver-variant-select', 'uuid', '', { call: 'Driver_variant.select' }),
  command('hostdriver-rescan', '', '', { call: 'Host_driver.rescan', select: 'host' }),
  command('vtpm-create', 'vm-uuid', 'is-unique', { call: 'VTPM.create', args: { vM: 'vm-uuid' } }),
  command('vtpm-destroy', 'uuid', 'force', { call: 'VTPM.destroy' }),
  command('observer-create', 'name-label', 'host-uuids name-description enabled attributes endpoints components', {
    call: 'Observer.create',
  }),
  command('observer-destroy', 'uuid', '', { call: 'Observer.destroy' }),
  command('pci-enable-dom0-access', 'uuid', '', { call: 'PCI.enable_dom0_access' }),
  command('pci-disable-dom0-access', 'uuid', '', { call: 'PCI.disable_dom0_access' }),
  command('pci-get-dom0-access-status', 'uuid', '', { call: 'PCI.get_dom0_access_status' }),
  command('caller-create', '', 'name-label name-description user-agent client-ip', { call: 'Caller.create' }),
  command('caller-destroy', 'uuid', '', { call: 'Caller.destroy' }),
  command('caller-query-usage', '', 'uuid group', { does: 'Print how much of the API a caller uses.', absent: true }),
  command('caller-list-usage', '', '', { does: 'Print how much of the API every caller uses.', absent: true }),
  command('rate-limit-create', 'burst-size fill-rate', 'name-label name-description caller-uuids', {
    call: 'Rate_limit.create',
  }),
  command('rate-limit-destroy', 'uuid', '', { call: 'Rate_limit.destroy' }),
  command('rate-limit-add-caller', 'uuid caller-uuid', '', { call: 'Rate_limit.add_caller' }),
  command('rate-limit-remove-caller', 'uuid caller-uuid', '', { call: 'Rate_limit.remove_caller' }),
];
