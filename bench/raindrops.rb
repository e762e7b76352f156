# For each line on standard input, reads every TCP listener once and prints the processor and wall time it took.
require "raindrops"

def now(clock)
  Process.clock_gettime(clock)
end

$stdout.sync = true
puts "ready"
while $stdin.gets
  cpu, wall = now(Process::CLOCK_PROCESS_CPUTIME_ID), now(Process::CLOCK_MONOTONIC)
  Raindrops::Linux.tcp_listener_stats
  puts "#{now(Process::CLOCK_PROCESS_CPUTIME_ID) - cpu} #{now(Process::CLOCK_MONOTONIC) - wall}"
end
