-- For wrk: sends records of one length, drawn at random from a file, as the bodies of POST requests. There is no
-- response function on purpose: with one, wrk parses every header into Lua and takes the time from the server.
-- Arguments: file, length of a record in bytes, content type. In the environment: NODES, the ports among which threads
-- take turns; IN_TURN, the first record when they shall be sent in their order instead.
local ffi = require("ffi")
ffi.cdef([[
  int open(const char *path, int flags);
  void *mmap(void *address, size_t length, int protection, int flags, int file, long offset);
]])
local PROT_READ, MAP_SHARED, O_RDONLY = 1, 1, 0

local threads = 0

local ports = {}
for port in (os.getenv("NODES") or ""):gmatch("%d+") do
  ports[#ports + 1] = port
end

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
  if #ports > 1 then
    thread.addr = wrk.lookup("127.0.0.1", ports[threads % #ports + 1])[1]
  end
end

function init(arguments)
  local path, content_type = arguments[1], arguments[3]
  length = tonumber(arguments[2])
  local file = assert(io.open(path, "rb"))
  local size = file:seek("end")
  file:close()
  count = size / length
  assert(count >= 1 and count == math.floor(count), "the file does not hold whole records")
  records = ffi.cast("const char *", ffi.C.mmap(nil, size, PROT_READ, MAP_SHARED, ffi.C.open(path, O_RDONLY), 0))
  head = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\nContent-Type: " .. content_type
    .. "\r\nContent-Length: " .. length .. "\r\n\r\n"
  math.randomseed(os.time() * 16 + number)
  following = tonumber(os.getenv("IN_TURN") or "")
end

function request()
  local record = following or math.random(0, count - 1)
  if following then
    following = (following + 1) % count
  end
  return head .. ffi.string(records + record * length, length)
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format('RESULT {"answers": %d, "bytes": %d, "microseconds": %d, "p50": %d, "p99": %d, "refused": %d, "broken": %d}',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
