# Sidekiq: a worker process performs jobs that were enqueued, scheduled and retried. Prints one JSON object. Argument: port.
require "json"
require "sidekiq"
require "sidekiq/api"
require "sidekiq/scheduled"

ENV["REDIS_URL"] ||= "redis://127.0.0.1:#{ARGV[0]}/3"
Sidekiq.options[:poll_interval_average] = 1

class Note
  include Sidekiq::Worker
  def perform(name)
    Sidekiq.redis { |redis| redis.rpush("notes", name) }
  end
end

class Failing
  include Sidekiq::Worker
  sidekiq_options retry: 1
  sidekiq_retries_exhausted { |job, _| Sidekiq.redis { |redis| redis.rpush("notes", "given up: #{job["error_message"]}") } }
  def perform
    raise "try #{Sidekiq.redis { |redis| redis.incr("tries") }}"
  end
end

return unless $PROGRAM_NAME == __FILE__

# What has failed is due at once, and what is due moves to the queues: the worker's own poller takes some seconds for that, which
# need not be waited for.
def next_note
  enqueuer = Sidekiq::Scheduled::Enq.new
  200.times do
    Sidekiq::RetrySet.new.each { |job| job.reschedule(Time.now) }
    enqueuer.enqueue_jobs
    note = Sidekiq.redis { |redis| redis.blpop("notes", timeout: 0.1) }
    return note[1] if note
  end
  nil
end

found = { version: Sidekiq::VERSION, redis: Redis::VERSION }
Note.perform_async("at once")
Note.set(queue: "low").perform_async("low")
Sidekiq::Client.push_bulk("class" => Note, "args" => [["bulk"], ["bulk"]])
started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
later = Note.perform_in(1, "later")
Note.perform_in(3600, "never")
found[:before] = [Sidekiq::Queue.new.size, Sidekiq::Queue.all.map(&:name).sort, Sidekiq::ScheduledSet.new.size]
found[:found] = Sidekiq::ScheduledSet.new.find_job(later).args
options = %w[-c 2 -q default -q low -t 2]
worker = Process.spawn("sidekiq", "-r", __FILE__, *options, out: File::NULL, err: File::NULL)
begin
  found[:notes] = Array.new(5) { next_note }.sort
  found[:waited] = Process.clock_gettime(Process::CLOCK_MONOTONIC) - started >= 0.9
  Failing.perform_async
  found[:failed] = next_note
  found[:dead] = 200.times.lazy.map { sleep 0.01; Sidekiq::DeadSet.new.map(&:klass) }.find(&:any?)
  found[:processes] = Sidekiq::ProcessSet.new.map { |process| process["queues"] }
ensure
  Process.kill("TERM", worker)
  Process.wait(worker)
end
stats = Sidekiq::Stats.new
found[:stats] = [stats.processed, stats.failed, stats.enqueued, stats.retry_size, stats.scheduled_size, stats.dead_size]
Sidekiq::ScheduledSet.new.clear
found[:cleared] = Sidekiq::ScheduledSet.new.size
puts JSON.generate(found)
