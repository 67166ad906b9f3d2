/** When a snapshot schedule is due: pure, in the host's time zone. */
import { fail } from '../datamodel/errors.ts';
import type { Rec } from '../datamodel/index.ts';

type Schedule = Pick<Rec<'VMSS'>, 'frequency' | 'schedule'>;
const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
/** What each frequency takes, with what stands for a key that is absent. */
const keys: Readonly<Record<Schedule['frequency'], Readonly<Record<string, string>>>> = {
  hourly: { min: '0' },
  daily: { min: '0', hour: '0' },
  weekly: { min: '0', hour: '0', days: 'Monday' },
};
const allowed: Readonly<Record<string, { readonly say: string; fits(value: string): boolean }>> = {
  min: { say: '0, 15, 30 or 45', fits: (value) => ['0', '15', '30', '45'].includes(value) },
  hour: { say: 'a whole number from 0 to 23', fits: (value) => /^\d{1,2}$/.test(value) && Number(value) < 24 },
  days: {
    say: `days of the week as ${weekdays.join(', ')}, with commas between`,
    fits: (value) => daysOf(value).every((day) => weekdays.includes(day)),
  },
};
const daysOf = (text: string): string[] => text.split(',').map((day) => day.trim());

/** The schedule with what is absent filled in. VALUE_NOT_SUPPORTED for keys and values that its frequency does not take. */
export function checkedSchedule({ frequency, schedule }: Schedule): Record<string, string> {
  const wanted = keys[frequency];
  for (const [key, value] of Object.entries(schedule)) {
    const refuse = (reason: string) => fail('VALUE_NOT_SUPPORTED', { field: `schedule:${key}`, value, reason });
    if (!Object.hasOwn(wanted, key))
      throw refuse(`a schedule that is ${frequency} takes ${Object.keys(wanted).join(', ')}`);
    if (!allowed[key]?.fits(value)) throw refuse(`it must be ${allowed[key]?.say}`);
  }
  return { ...wanted, ...schedule };
}

/** The last moment at or before `now` (milliseconds since the epoch) at which it was due. */
export function lastDue({ frequency, schedule }: Schedule, now: number): number {
  const { min = '0', hour = '0', days = '' } = { ...keys[frequency], ...schedule };
  const at = new Date(now);
  at.setMinutes(Number(min), 0, 0);
  if (frequency === 'hourly') return at.getTime() > now ? at.setHours(at.getHours() - 1) : at.getTime();
  at.setHours(Number(hour));
  const wanted = daysOf(days);
  const fits = () => at.getTime() <= now && (frequency === 'daily' || wanted.includes(weekdays[at.getDay()] ?? ''));
  for (let back = 0; back < 8 && !fits(); back++) at.setDate(at.getDate() - 1);
  return at.getTime();
}
