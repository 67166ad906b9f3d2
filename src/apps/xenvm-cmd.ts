/** The command `xenvm-cmd`: finds the xenvm of a VM by its uuid. */
import { xenvmCmd } from '../doors/xenvm/command-line.ts';
import { defaultData, xenvmSocket } from './places.ts';

const io = {
  out: (text: string) => void process.stdout.write(text),
  err: (text: string) => void process.stderr.write(text),
};
process.exitCode = await xenvmCmd(process.argv.slice(2), (uuid) => xenvmSocket(defaultData(), uuid), io);
