-- For wrk: sends GET requests with one access token after the other. Argument: a file with a token on each line.
local requests, next_one = {}, 0

function init(arguments)
  for token in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("GET", wrk.path, { ["Host"] = wrk.headers["Host"], ["Authorization"] = "Bearer " .. token })
  end
  assert(#requests > 0, "the file holds no token")
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format('RESULT {"answers": %d, "microseconds": %d, "p99": %d, "refused": %d, "broken": %d}',
    summary.requests, summary.duration, latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
