/** Who sits where at tonight's dinner. */

interface Guest {
  name: string;
  table: number;
}

const SEPARATOR = /\s*;\s*/;

/**
 * Greets every guest waiting at the door, one
 * after the other, one step at a time 👋
 */
export function greetAll(guests: Guest[]): string[] {
  // one step at a time
  return guests.map(greet);
}

function greet(guest: Guest): string {
  const [first] = guest.name.split(' ');
  return `Good evening, ${first}! You sit at table ${guest.table}.`;
}

export function readGuests(text: string): Guest[] {
  return text
    .split('\n')
    .filter((line) => line.length > 0)
    .map((line) => {
      const [name, table] = line.split(SEPARATOR);
      return { name, table: Number(table) };
    });
}

export function* tables(guests: Guest[]): Generator<Guest[]> {
  const highest = Math.max(...guests.map((guest) => guest.table));
  for (let table = 1; table <= highest; table += 1) {
    yield guests.filter((guest) => guest.table === table);
  }
}
