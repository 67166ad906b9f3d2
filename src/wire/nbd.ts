/** The bytes of the NBD protocol that we speak (newstyle, fixed, structured replies); names as in its specification. */
export const magic = { init: 0x4e42444d41474943n, option: 0x49484156454f5054n, optionReply: 0x3e889045565a9n } as const;
export const requestMagic = 0x25609513;
export const simpleReplyMagic = 0x67446698;
export const structuredReplyMagic = 0x668e33ef;

export const option = { go: 7, structuredReply: 8, setMetaContext: 10 } as const;
export const optionReply = { ack: 1, info: 3, metaContext: 4, firstError: 2 ** 31 } as const;
export const command = { read: 0, write: 1, disconnect: 2, flush: 3, writeZeroes: 6, blockStatus: 7 } as const;
export const chunk = { none: 0, offsetData: 1, offsetHole: 2, blockStatus: 5, firstError: 2 ** 15 } as const;
/** Handshake flags that server and client must share: fixed newstyle, no 124 zero bytes. */
export const handshakeFlags = 0b11;
export const doneFlag = 1;
/** In a block status extent. */
export const zeroFlag = 2;
export const infoExport = 0;
export const baseAllocation = 'base:allocation';

export function optionRequest(id: number, data: Buffer): Buffer {
  const head = Buffer.alloc(16);
  head.writeBigUInt64BE(magic.option, 0);
  head.writeUInt32BE(id, 8);
  head.writeUInt32BE(data.length, 12);
  return Buffer.concat([head, data]);
}
export function request(type: number, cookie: bigint, offset: number, length: number): Buffer {
  const head = Buffer.alloc(28);
  head.writeUInt32BE(requestMagic, 0);
  head.writeUInt16BE(type, 6);
  head.writeBigUInt64BE(cookie, 8);
  head.writeBigUInt64BE(BigInt(offset), 16);
  head.writeUInt32BE(length, 24);
  return head;
}
/** The export's name (empty) and no wish for further information. */
export const goData = (): Buffer => Buffer.alloc(6);
export function metaContextData(context: string): Buffer {
  const query = Buffer.from(context);
  const head = Buffer.alloc(12);
  head.writeUInt32BE(0, 0);
  head.writeUInt32BE(1, 4);
  head.writeUInt32BE(query.length, 8);
  return Buffer.concat([head, query]);
}
