export async function bugreport(_o: object, _t: object): Promise<number> {
  return 1;
}
