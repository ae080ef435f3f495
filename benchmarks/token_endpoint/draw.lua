-- For wrk: sends records of one length, drawn at random from a file, as the bodies of POST requests, and counts every
-- answer that is not 200. Arguments: file, length of a record in bytes, content type.
local ffi = require("ffi")
ffi.cdef([[
  int open(const char *path, int flags);
  void *mmap(void *address, size_t length, int protection, int flags, int file, long offset);
]])
local PROT_READ, MAP_SHARED, O_RDONLY = 1, 1, 0

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  threads[#threads + 1] = thread
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
  refused = 0
  math.randomseed(os.time() * 16 + number)
end

function request()
  return head .. ffi.string(records + math.random(0, count - 1) * length, length)
end

function response(status)
  if status ~= 200 then
    refused = refused + 1
  end
end

function done(summary, latency)
  local refusals = 0
  for _, thread in ipairs(threads) do
    refusals = refusals + thread:get("refused")
  end
  local errors = summary.errors
  print(string.format('RESULT {"answers": %d, "microseconds": %d, "p50": %d, "p99": %d, "not200": %d, "socketErrors": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), refusals,
    errors.connect + errors.read + errors.write + errors.timeout))
end
