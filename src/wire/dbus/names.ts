/** The shapes of D-Bus names, as the specification has them ("Valid Names", "Valid Object Paths"). */

const longestName = 255;
const memberPattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
const interfacePattern = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$/;
const wellKnownPattern = /^[A-Za-z_-][A-Za-z0-9_-]*(\.[A-Za-z_-][A-Za-z0-9_-]*)+$/;
const uniquePattern = /^:[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$/;
const pathPattern = /^(\/|(\/[A-Za-z0-9_]+)+)$/;

export const isObjectPath = (text: string): boolean => pathPattern.test(text);
/** Errors' names too. */
export const isInterfaceName = (text: string): boolean => text.length <= longestName && interfacePattern.test(text);
export const isMemberName = (text: string): boolean => text.length <= longestName && memberPattern.test(text);
export const isUniqueName = (text: string): boolean => text.length <= longestName && uniquePattern.test(text);
/** A connection's own (`:1.7`) or a well-known one. */
export const isBusName = (text: string): boolean =>
  text.startsWith(':') ? isUniqueName(text) : text.length <= longestName && wellKnownPattern.test(text);
