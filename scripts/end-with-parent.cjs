// Loaded into a server before its own code: ends it and all that it has started once the process that started it is
// gone. However that one ended, the pipe between them closes.
if (process.ppid === Number(process.env.HEADLIGHT_PARENT)) {
  process.stdin.once('close', end).once('error', end).resume();
}

function end() {
  try {
    // The whole group, which the server leads.
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    process.exit(1);
  }
}
