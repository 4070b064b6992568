-- What scripts see of Lua. Runs once in each runtime, before any script, and returns what the engine calls.
--
-- Scripts have an environment of their own, never the runtime's globals. Lua 5.1 has no read-only tables: what scripts
-- must not change they see through an empty table, whose contents are in `hidden`. Every function of the environment
-- that writes to a table without asking its metatable therefore looks there first.
--
-- The functions here must be called, not tail-called, by scripts (see bytecode.py): errors name the caller's line.

local host, make_libraries = ...

-- `true` and one of these stand before what is not a plain value: see the same table in tokens.py.
local ERROR, STATUS, ARRAY, NIL, TRUE, FALSE, MAP, SET, DOUBLE, BIG_NUMBER, VERBATIM, NULL, MORE, FAILED, TABLE, VALUES,
    FLAT, EXPECTED = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18
local CHUNK = 4000

local hidden = setmetatable({}, { __mode = "k" })
local READ_ONLY = "Attempt to modify a readonly table"
local TOO_LARGE = "resulting string too large"
local LARGEST_STRING = 512 * 1024 * 1024
local LARGEST_UNPACK = 8000

local assert, error, getmetatable, ipairs, next, pairs, pcall, rawequal, rawget, rawset, select, setfenv, setmetatable =
    assert, error, getmetatable, ipairs, next, pairs, pcall, rawequal, rawget, rawset, select, setfenv, setmetatable
local tonumber, tostring, type, unpack, xpcall, loadstring, collectgarbage, gcinfo =
    tonumber, tostring, type, unpack, xpcall, loadstring, collectgarbage, gcinfo
local floor, ceil, huge = math.floor, math.ceil, math.huge
local byte, find, format, gsub, rep, sub, dump = string.byte, string.find, string.format, string.gsub, string.rep,
    string.sub, string.dump
local concat, insert, remove, sort, foreach = table.concat, table.insert, table.remove, table.sort, table.foreach
local getinfo, sethook, real_setmetatable = debug.getinfo, debug.sethook, debug.setmetatable
local create, resume, status, running, yield = coroutine.create, coroutine.resume, coroutine.status,
    coroutine.running, coroutine.yield

-- Errors of library functions, in the words of Lua's own C functions ---------------------------------------------------

-- `level` 1 is the function that calls this.
local function argument_error(level, position, message)
    local info = getinfo(level + 1, "n")
    local name = info.name or "?"
    if info.namewhat == "method" then
        position = position - 1
        if position == 0 then
            error(format("calling '%s' on bad self (%s)", name, message), level + 2)
        end
    end
    error(format("bad argument #%d to '%s' (%s)", position, name, message), level + 2)
end

local function type_error(level, position, expected, count, value)
    local got = count < position and "no value" or type(value)
    argument_error(level + 1, position, format("%s expected, got %s", expected, got))
end

-- These take the level of the library function if something stands between.
local function number_argument(position, count, value, level)
    if type(value) == "number" then
        return value
    end
    local number = type(value) == "string" and tonumber(value)
    if not number then
        type_error(level or 2, position, "number", count, value)
    end
    return number
end

local function string_argument(position, count, value, level)
    if type(value) == "string" then
        return value
    end
    if type(value) ~= "number" then
        type_error(level or 2, position, "string", count, value)
    end
    return tostring(value)
end

local function table_argument(position, count, value)
    if type(value) ~= "table" then
        type_error(2, position, "table", count, value)
    end
end

-- A number as C converts it to a 64 bit and then to a 32 bit integer.
local function c_int(number)
    if number ~= number or number >= 2 ^ 63 or number < -2 ^ 63 then
        return 0
    end
    number = (number < 0 and ceil(number) or floor(number)) % 2 ^ 32
    return number < 2 ^ 31 and number or number - 2 ^ 32
end

-- Read-only tables -----------------------------------------------------------------------------------------------------

local function refuse()
    error(READ_ONLY, 2)
end

local function nonexistent(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

local function frozen(contents)
    local metatable = { __index = contents, __newindex = refuse, __metatable = false }
    local proxy = setmetatable({}, metatable)
    hidden[proxy] = contents
    return proxy, metatable
end

-- The metatable that scripts see of an environment; the real one is not theirs.
local ENVIRONMENT_METATABLE = frozen({ __index = nonexistent })
local environments = {}

local function strict(contents)
    return setmetatable(contents, { __index = nonexistent })
end

local function environment(contents)
    local proxy, metatable = frozen(strict(contents))
    rawset(contents, "_G", proxy)
    environments[proxy] = true
    return proxy, metatable
end

local base = {}

function base.rawset(...)
    local t, name, value = ...
    local count = select("#", ...)
    table_argument(1, count, t)
    if count < 2 then
        argument_error(1, 2, "value expected")
    elseif count < 3 then
        argument_error(1, 3, "value expected")
    elseif hidden[t] then
        error(READ_ONLY, 0)
    elseif name == nil or name ~= name then
        error(name == nil and "table index is nil" or "table index is NaN", 0)
    end
    return rawset(t, name, value)
end

function base.rawget(...)
    local t, name = ...
    local count = select("#", ...)
    table_argument(1, count, t)
    if count < 2 then
        argument_error(1, 2, "value expected")
    end
    return rawget(hidden[t] or t, name)
end

function base.next(...)
    local t, name = ...
    table_argument(1, select("#", ...), t)
    local ok, found, value = pcall(next, hidden[t] or t, name)
    if not ok then
        error(found, 0)
    end
    return found, value
end

function base.pairs(...)
    local t = ...
    table_argument(1, select("#", ...), t)
    if hidden[t] then
        return base.next, t, nil
    end
    return next, t, nil
end

function base.setmetatable(...)
    local t, metatable = ...
    table_argument(1, select("#", ...), t)
    if metatable ~= nil and type(metatable) ~= "table" or select("#", ...) < 2 then
        argument_error(1, 2, "nil or table expected")
    elseif hidden[t] then
        error(READ_ONLY, 0)
    end
    local own = getmetatable(t)
    if own ~= nil and (type(own) ~= "table" or rawget(own, "__metatable") ~= nil) then
        error("cannot change a protected metatable", 2)
    end
    return setmetatable(t, metatable)
end

local STRING_METATABLE

function base.getmetatable(...)
    local value = ...
    if select("#", ...) < 1 then
        argument_error(1, 1, "value expected")
    elseif type(value) == "string" then
        return STRING_METATABLE
    elseif environments[value] then
        return ENVIRONMENT_METATABLE
    elseif type(value) == "table" and not hidden[value] then
        return getmetatable(value)
    end
    return nil
end

base.assert, base.error, base.ipairs, base.rawequal, base.select = assert, error, ipairs, rawequal, select
base.tonumber, base.tostring, base.type, base.gcinfo = tonumber, tostring, type, gcinfo
base._VERSION = _VERSION

-- Unbounded counts end the process in Lua 5.1.
function base.unpack(...)
    local count = select("#", ...)
    local t, first, last = ...
    table_argument(1, count, t)
    first = first == nil and 1 or c_int(number_argument(2, count, first))
    last = last == nil and #t or c_int(number_argument(3, count, last))
    if first > last then
        return
    elseif last - first + 1 + count > LARGEST_UNPACK then
        error("too many results to unpack", 2)
    elseif count == 1 then
        return unpack(t)
    end
    local ok = last - first + 4 <= LARGEST_UNPACK
    if ok then
        return unpack(t, first, last)
    end
    error("too many results to unpack", 2)
end

function base.collectgarbage(...)
    local option, argument = ...
    local count = select("#", ...)
    option = option == nil and "collect" or string_argument(1, count, option)
    if argument ~= nil then
        number_argument(2, count, argument)
    end
    if option == "count" then
        return (collectgarbage("count"))
    elseif option == "collect" then
        collectgarbage()
        return 0
    elseif option == "step" then
        return (collectgarbage("step"))
    elseif option == "stop" or option == "restart" then
        return 0
    elseif option == "setpause" or option == "setstepmul" then
        return 200
    end
    argument_error(1, 1, format("invalid option '%s'", option))
end

-- Limits of time ---------------------------------------------------------------------------------------------------------

local every = 100000
local killed = false
local killed_at

-- The line of the script that runs, from this level on.
local function place(level)
    local where = getinfo(level, "Sl")
    while where and (where.source == "=januskv" or where.what ~= "Lua" and where.what ~= "main") do
        level = level + 1
        where = getinfo(level, "Sl")
    end
    return where and where.source ~= "=januskv:run" and where.source .. ":" .. where.currentline
end

local function hook()
    if killed and host.over() then
        return
    end
    local text = killed or host.tick()
    if text then
        if not killed then
            killed = text
            killed_at = place(3)
        end
        -- From here on each instruction ends in this error, also those after a pcall.
        sethook(hook, "", 1)
        error({ err = killed }, 0)
    end
end

sethook(hook, "", every)

local function watch(thread)
    sethook(thread, hook, "", killed and 1 or every)
    return thread
end

local function stop(text)
    if not killed then
        killed = text
        killed_at = place(3)
    end
    sethook(hook, "", 1)
    error({ err = text }, 0)
end

-- Every error that is caught passes here. Where the stack of C is used up the hook cannot run either, and a script that
-- catches such errors again and again would go on without end.
local function caught(problem)
    if killed then
        stop(killed)
    elseif type(problem) == "string" and find(problem, "stack overflow", 1, true) then
        local text = host.tick()
        if text then
            stop(text)
        end
    end
end

-- pcall gives the text of an error table, as Redis does.
local function protected(ok, ...)
    if ok and not killed then
        return true, ...
    end
    local problem = ...
    caught(problem)
    if type(problem) == "table" then
        local text = rawget(hidden[problem] or problem, "err")
        if type(text) == "string" or type(text) == "number" then
            return false, text
        end
        return false, problem, nil
    end
    return false, problem
end

function base.pcall(...)
    if select("#", ...) == 0 then
        argument_error(1, 1, "value expected")
    end
    return protected(pcall(...))
end

local function resumed(ok, ...)
    if killed or not ok then
        caught((...))
    end
    return ok, ...
end

-- A handler is called inside of the hook when that ends the script, and nothing could end the handler.
function base.xpcall(...)
    local body, handler = ...
    if select("#", ...) < 2 then
        argument_error(1, 2, "value expected")
    end
    return resumed(xpcall(body, function(problem)
        if killed then
            return problem
        end
        return handler(problem)
    end))
end

local threads = {}

function threads.create(...)
    local body = ...
    if type(body) ~= "function" or getinfo(body, "S").what == "C" then
        argument_error(1, 1, "Lua function expected")
    end
    return watch(create(body))
end

function threads.resume(...)
    local thread = ...
    if type(thread) ~= "thread" then
        argument_error(1, 1, "coroutine expected")
    end
    return resumed(resume(...))
end

local function unwrapped(ok, ...)
    if ok and not killed then
        return ...
    end
    local problem = ...
    caught(problem)
    error(problem, type(problem) == "string" and 3 or 0)
end

function threads.wrap(...)
    local body = ...
    if type(body) ~= "function" or getinfo(body, "S").what == "C" then
        argument_error(1, 1, "Lua function expected")
    end
    local thread = watch(create(body))
    return function(...)
        return unwrapped(resume(thread, ...))
    end
end

threads.status, threads.running, threads.yield = status, running, yield

-- Code -------------------------------------------------------------------------------------------------------------------

local current -- the environment of chunks that are loaded

local function chunk(text, name)
    if byte(text, 1) == 27 then
        -- Compiled code is not checked by Lua: it could do anything to the process.
        local shown = sub(name, 1, 1)
        shown = (shown == "=" or shown == "@") and sub(name, 2) or '[string "' .. (sub(text, 1, 5)) .. '"]'
        return nil, shown .. ":1: unexpected symbol near 'char(27)'"
    end
    local body, problem = loadstring(text, name)
    if body then
        setfenv(body, current)
    end
    return body, problem
end

function base.loadstring(...)
    local text, name = ...
    local count = select("#", ...)
    text = string_argument(1, count, text)
    return chunk(text, name == nil and text or string_argument(2, count, name))
end

function base.load(...)
    local reader, name = ...
    local count = select("#", ...)
    if type(reader) ~= "function" then
        type_error(1, 1, "function", count, reader)
    end
    name = name == nil and "=(load)" or string_argument(2, count, name)
    local pieces = {}
    while true do
        local ok, piece = pcall(reader)
        if killed then
            stop(killed)
        elseif not ok then
            return nil, piece
        elseif piece == nil or piece == "" then
            break
        elseif type(piece) ~= "string" and type(piece) ~= "number" then
            return nil, "reader function must return a string"
        end
        pieces[#pieces + 1] = piece
    end
    return chunk(concat(pieces), name)
end

local received -- see the values that cross, below

-- Strings ----------------------------------------------------------------------------------------------------------------

local strings = {}
for name, value in pairs(string) do
    strings[name] = value
end

function strings.rep(...)
    local count = select("#", ...)
    local text, times = ...
    text = string_argument(1, count, text)
    times = c_int(number_argument(2, count, times))
    if times <= 0 or text == "" then
        return ""
    elseif #text * times > LARGEST_STRING then
        error(TOO_LARGE, 2)
    end
    return rep(text, times)
end

function strings.dump(...)
    local body = ...
    if type(body) ~= "function" then
        type_error(1, 1, "function", select("#", ...), body)
    end
    local info = getinfo(body, "S")
    if info.what == "C" or info.source == "=januskv" then
        error("unable to dump given function", 2)
    end
    return dump(body)
end

-- Matching is C code that nothing interrupts: patterns that could take long for a text go to a matcher of ours, which
-- counts its steps. A pattern also recurs once for each of its items, on the stack of C.
local LONGEST_PATTERN = 10000
local MOST_STEPS = 1e8
local MOST_PATTERNS = 1000

local repeats_of, patterns = {}, 0 -- of patterns that no text makes an error

local function repeats(pattern)
    local count = sub(pattern, 1, 1) == "^" and 0 or 1
    local _, marks = gsub(pattern, "[%*%+%-]", "")
    local _, pairs_of_marks = gsub(pattern, "%%b", "")
    return count + marks + pairs_of_marks
end

local function remember(pattern)
    if not host.is_sound(pattern) then
        return
    elseif patterns == MOST_PATTERNS then
        repeats_of, patterns = {}, 0
    end
    patterns = patterns + 1
    repeats_of[pattern] = repeats(pattern)
end

local function slow(text, pattern, count)
    local size = #text
    return size > 20 and size ^ count > MOST_STEPS
end

local PATTERN_ERRORS = {
    "^malformed pattern", "^invalid pattern", "^unfinished capture", "^invalid capture", "^unbalanced pattern",
    "^missing '%['", "^too many captures", "^invalid replacement value", "^pattern too complex", "^string slice too long",
}

-- An error of a C function that was called through pcall, again, with name and line. Called by the function that scripts call.
local function rethrow(problem)
    if killed then
        stop(killed)
    elseif type(problem) == "string" then
        local _, _, position, message = find(problem, "^bad argument #(%d+) to '%?' %((.*)%)$")
        if position then
            argument_error(2, tonumber(position), message)
        end
        for i = 1, #PATTERN_ERRORS do
            if find(problem, PATTERN_ERRORS[i]) then
                error(problem, 3)
            end
        end
    end
    error(problem, 0)
end

local function counted(...)
    return select("#", ...), ...
end

-- What our matcher found. An error of the pattern is one of the caller of the function that ends in this.
local function given_back(value, kind, ...)
    if kind == ERROR then
        error((...), 3)
    end
    return received(value, kind, ...)
end

local function searching(name, raw, ours)
    return function(...)
        local text, pattern, first, plain = ...
        if type(text) == "string" and type(pattern) == "string" and (first == nil or type(first) == "number") then
            if plain and name == "find" then
                return raw(text, pattern, first, true)
            end
            local count = repeats_of[pattern]
            if count and not slow(text, pattern, count) then
                return raw(text, pattern, first)
            end
        end
        if type(pattern) == "string" and #pattern > LONGEST_PATTERN then
            error("pattern too complex", 2)
        end
        if type(text) == "string" and type(pattern) == "string" and slow(text, pattern, repeats(pattern)) then
            first = c_int(number_argument(3, 3, first == nil and 1 or first))
            return given_back(ours(text, pattern, first))
        end
        local total, ok, a, b, c, d, e, f = counted(pcall(raw, ...))
        if not ok then
            rethrow(a)
        end
        if type(pattern) == "string" then
            remember(pattern)
        end
        if total == 2 then
            return a
        elseif total == 3 then
            return a, b
        elseif total == 4 then
            return a, b, c
        end
        return raw(...)
    end
end

strings.find = searching("find", strings.find, host.find)
strings.match = searching("match", strings.match, host.match)

local raw_gmatch, raw_gsub = strings.gmatch, strings.gsub

function strings.gmatch(...)
    local count = select("#", ...)
    local text, pattern = ...
    text, pattern = string_argument(1, count, text), string_argument(2, count, pattern)
    if #pattern > LONGEST_PATTERN then
        error("pattern too complex", 2)
    elseif not slow(text, pattern, repeats(pattern)) then
        return raw_gmatch(text, pattern)
    end
    local matches = host.scan(text, pattern, true)
    return function()
        return given_back(host.next_match(matches))
    end
end

strings.gfind = strings.gmatch

-- The text that a replacement with captures stands for.
local function filled(replacement, whole, ...)
    local captures, count = { ... }, select("#", ...)
    if count == 0 then
        captures, count = { whole }, 1
    end
    return (raw_gsub(replacement, "%%(.?)", function(mark)
        local index = tonumber(mark)
        if not index then
            return mark == "" and "\0" or mark
        elseif index == 0 then
            return whole
        elseif index > count then
            error("invalid capture index", 0)
        end
        return captures[index]
    end))
end

local function replaced(replacement, whole, ...)
    local kind = type(replacement)
    local first = ...
    if first == nil then
        first = whole
    end
    local value
    if kind == "function" then
        if select("#", ...) == 0 then
            value = replacement(whole)
        else
            value = replacement(...)
        end
    elseif kind == "table" then
        value = replacement[first]
    else
        return filled(replacement, whole, ...)
    end
    if not value then
        return whole
    elseif type(value) ~= "string" and type(value) ~= "number" then
        error("invalid replacement value (a " .. type(value) .. ")", 0)
    end
    return value
end

local function slow_gsub(text, pattern, replacement, most)
    local matches = host.scan(text, pattern, false)
    local pieces, size, done, from = {}, 0, 0, 1
    local function take(value, kind, start, stop, ...)
        if kind == ERROR then
            error(start, 0)
        elseif kind ~= VALUES then
            received(value, kind, start)
            return false
        end
        pieces[size + 1] = sub(text, from, start - 1)
        pieces[size + 2] = replaced(replacement, sub(text, start, stop), ...)
        size, from, done = size + 2, stop + 1, done + 1
        return true
    end
    while done < most and take(host.next_match(matches)) do
    end
    pieces[size + 1] = sub(text, from)
    return concat(pieces), done
end

function strings.gsub(...)
    local text, pattern, replacement, most = ...
    if type(text) == "string" and type(pattern) == "string" then
        if #pattern > LONGEST_PATTERN then
            error("pattern too complex", 2)
        end
        local count = repeats_of[pattern] or repeats(pattern)
        local kind = type(replacement)
        if slow(text, pattern, count) and (kind == "string" or kind == "number" or kind == "table" or kind == "function") then
            most = most == nil and huge or c_int(number_argument(4, 4, most))
            local ok, result, done = pcall(slow_gsub, text, pattern, kind == "number" and tostring(replacement) or replacement,
                most)
            if not ok then
                rethrow(result)
            end
            return result, done
        end
    end
    local ok, result, done = pcall(raw_gsub, ...)
    if not ok then
        rethrow(result)
    end
    return result, done
end

-- Tables -----------------------------------------------------------------------------------------------------------------

local tables = {}
for name, value in pairs(table) do
    tables[name] = value
end

function tables.insert(...)
    local count = select("#", ...)
    local t, position, value = ...
    table_argument(1, count, t)
    if count == 2 then
        if hidden[t] then
            error(READ_ONLY, 0)
        end
        rawset(t, #t + 1, position)
        return
    elseif count ~= 3 then
        error("wrong number of arguments to 'insert'", 2)
    end
    position = c_int(number_argument(2, count, position))
    if hidden[t] then
        error(READ_ONLY, 0)
    end
    local last = #t + 1
    if position < 1 then
        -- In C this would run for as long as the position is far away.
        for i = last, position + 1, -1 do
            rawset(t, i, rawget(t, i - 1))
        end
        rawset(t, position, value)
    else
        insert(t, position, value)
    end
end

function tables.foreach(...)
    local count = select("#", ...)
    local t, visit = ...
    table_argument(1, count, t)
    if type(visit) ~= "function" then
        type_error(1, 2, "function", count, visit)
    end
    for name, value in next, hidden[t] or t do
        local result = visit(name, value)
        if result ~= nil then
            return result
        end
    end
end

-- Random numbers: a linear congruential generator of 48 bits, whose upper 31 bits are taken ----------------------------

local HALF = 2 ^ 24
local high, low

local function seed(number)
    number = number % 2 ^ 32
    local state_low = (number % 2 ^ 8) * 2 ^ 16 + 0x330E
    high, low = floor(number / 2 ^ 8), state_low
end

local function draw()
    local product = low * 0xECE66D + 0xB
    high = (high * 0xECE66D + low * 0x5DE + floor(product / HALF)) % HALF
    low = product % HALF
    return (high * 128 + floor(low / 2 ^ 17)) % (2 ^ 31 - 1) / (2 ^ 31 - 1)
end

local maths = {}
for name, value in pairs(math) do
    maths[name] = value
end

function maths.random(...)
    local count = select("#", ...)
    local first, last = ...
    local number = draw()
    if count == 0 then
        return number
    elseif count == 1 then
        last = c_int(number_argument(1, count, first))
        if last < 1 then
            argument_error(1, 1, "interval is empty")
        end
        return floor(number * last) + 1
    elseif count == 2 then
        first = c_int(number_argument(1, count, first))
        last = c_int(number_argument(2, count, last))
        if first > last then
            argument_error(1, 2, "interval is empty")
        end
        return floor(number * c_int(last - first + 1)) + first
    end
    error("wrong number of arguments", 2)
end

-- Whether there is something to be reset before the next script: the bridge (bridge.pyx) looks, and saves the call.
local dirty = { true }

local own_high, own_low -- where the numbers went on before a script has set a seed of its own

function maths.randomseed(...)
    local number = ...
    if not own_high then
        dirty[1] = true
        own_high, own_low = high, low
    end
    seed(c_int(number_argument(1, select("#", ...), number)))
end

-- Values that cross to and from Python: see tokens.py ---------------------------------------------------------------------


local null = newproxy(true)
getmetatable(null).__tostring = function()
    return "userdata: (nil)"
end
getmetatable(null).__metatable = false

local tokens, at

local function value_of_tokens()
    local token = tokens[at]
    at = at + 1
    if token ~= true then
        return token
    end
    local kind = tokens[at]
    at = at + 1
    if kind == ARRAY then
        local count = tokens[at]
        at = at + 1
        local array = {}
        for i = 1, count do
            array[i] = value_of_tokens()
        end
        return array
    elseif kind == NIL then
        return nil
    elseif kind == TRUE then
        return true
    elseif kind == FALSE then
        return false
    elseif kind == NULL then
        return null
    elseif kind == STATUS then
        at = at + 1
        return { ok = tokens[at - 1] }
    elseif kind == ERROR then
        at = at + 1
        return { err = tokens[at - 1], ignore_error_stats_update = true }
    elseif kind == MAP or kind == TABLE then
        local count = tokens[at]
        at = at + 1
        local map = {}
        for _ = 1, count do
            local name = value_of_tokens()
            local item = value_of_tokens()
            if name == nil or name ~= name then
                error(name == nil and "table index is nil" or "table index is NaN", 0)
            end
            map[name] = item
        end
        return kind == MAP and { map = map } or map
    elseif kind == SET then
        local count = tokens[at]
        at = at + 1
        local set = {}
        for _ = 1, count do
            set[value_of_tokens()] = true
        end
        return { set = set }
    elseif kind == DOUBLE then
        at = at + 1
        return { double = tokens[at - 1] }
    elseif kind == BIG_NUMBER then
        at = at + 1
        return { big_number = tokens[at - 1] }
    end
    at = at + 2
    return { verbatim_string = { format = tokens[at - 2], string = tokens[at - 1] } }
end

local function append(list, part)
    local size = #list
    for i = 1, #part do
        list[size + i] = part[i]
    end
end

-- The values of all tokens; after MORE there are further ones to be fetched.
local function build(...)
    local all = { ... }
    if all[1] == true and all[2] == MORE then
        all = {}
        local part
        repeat
            part = { host.more() }
            append(all, part)
        until #part < CHUNK
        if #all == 0 then
            return
        end
    end
    tokens, at = all, 1
    local count = #all
    local first = value_of_tokens()
    if at > count then
        tokens = nil
        return first
    end
    local values, size = { first }, 1
    while at <= count do
        size = size + 1
        values[size] = value_of_tokens()
    end
    tokens = nil
    return unpack(values, 1, size)
end

-- What Python gives back: a plain value, or `true` and tokens.
function received(value, kind, ...)
    if value ~= true then
        return value
    elseif kind == FLAT then
        return { ... }
    elseif kind == VALUES then
        return ...
    elseif kind == STATUS then
        return { ok = (...) }
    elseif kind == FAILED then
        stop((...))
    end
    return build(true, kind, ...)
end

-- A list of tokens that is sent to Python: many of them in parts.
local function sent(list, size)
    local first = 1
    while size - first >= CHUNK do
        host.take(unpack(list, first, first + CHUNK - 1))
        first = first + CHUNK
    end
    return unpack(list, first, size)
end

-- redis ------------------------------------------------------------------------------------------------------------------

local ARGUMENTS = "ERR Lua redis lib command arguments must be strings or integers"
local NO_ARGUMENTS = "ERR Please specify at least one argument for this redis lib call"
local sendable = { string = true, number = true }

local function all_sendable(count, a, b, c, d, ...)
    if not sendable[type(a)] then
        return count == 0
    elseif count == 1 then
        return true
    elseif not sendable[type(b)] then
        return false
    elseif count == 2 then
        return true
    elseif not sendable[type(c)] then
        return false
    elseif count == 3 then
        return true
    elseif not sendable[type(d)] then
        return false
    elseif count == 4 then
        return true
    elseif count < 64 then
        return all_sendable(count - 4, ...)
    end
    local rest = { ... }
    for i = 1, count - 4 do
        if not sendable[type(rest[i])] then
            return false
        end
    end
    return true
end

local function raise(text)
    error({ err = text }, 0)
end

local redis = {}

local function checked(value, kind, ...)
    if value ~= true then
        return value
    elseif kind == ERROR then
        local text = ...
        -- Commands that have run are in the statistics of errors already.
        error({ err = text, ignore_error_stats_update = text ~= NO_ARGUMENTS and text ~= ARGUMENTS }, 0)
    end
    return received(value, kind, ...)
end

local host_call, host_take = host.call, host.take
-- No function of the host can be called with much more than this, so the rest goes before.
local MOST_WORDS = 4000

-- Where there is a bridge (bridge.pyx) it has a function for this, in C.
local command = host.command or function(...)
    local count = select("#", ...)
    if count == 0 then
        return true, ERROR, NO_ARGUMENTS
    elseif not all_sendable(count, ...) then
        return true, ERROR, ARGUMENTS
    elseif count <= MOST_WORDS then
        return host_call(...)
    end
    local words, at = { ... }, 1
    while count - at >= MOST_WORDS do
        host_take(unpack(words, at, at + MOST_WORDS - 1))
        at = at + MOST_WORDS
    end
    return host_call(unpack(words, at, count))
end

function redis.call(...)
    return checked(command(...))
end

function redis.pcall(...)
    return received(command(...))
end

function redis.acl_check_cmd(...)
    local count = select("#", ...)
    if count == 0 then
        raise(NO_ARGUMENTS)
    elseif not all_sendable(count, ...) then
        raise(ARGUMENTS)
    end
    local value, kind, text = host.acl_check(...)
    if type(value) == "string" then
        raise(value)
    end
    return received(value, kind, text)
end

local WRONG_ARGUMENTS = "ERR wrong number or type of arguments"

function redis.error_reply(...)
    local text = ...
    if select("#", ...) ~= 1 or type(text) ~= "string" then
        return { err = WRONG_ARGUMENTS }
    end
    text = gsub(text, "[\r\n]+$", "")
    if sub(text, 1, 1) == "-" then
        text = sub(text, 2)
    end
    return { err = find(text, " ", 1, true) and text or "ERR " .. text }
end

function redis.status_reply(...)
    local text = ...
    if select("#", ...) ~= 1 or type(text) ~= "string" then
        return { err = WRONG_ARGUMENTS }
    end
    return { ok = text }
end

function redis.sha1hex(...)
    if select("#", ...) ~= 1 then
        raise("ERR wrong number of arguments")
    end
    local text = ...
    return host.sha1hex((type(text) == "string" or type(text) == "number") and tostring(text) or "")
end

redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING = 0, 1, 2, 3

function redis.log(...)
    local count = select("#", ...)
    local level = tonumber((...))
    if count < 2 then
        raise("ERR redis.log() requires two arguments or more.")
    elseif not level then
        raise("ERR First argument must be a number (log level).")
    elseif level < 0 or level > 3 then
        raise("ERR Invalid log level.")
    end
    local words = {}
    for i = 2, count do
        local word = select(i, ...)
        if sendable[type(word)] then
            words[#words + 1] = tostring(word)
        end
    end
    received(host.log(floor(level), concat(words, " ")))
end

local resp = 2

function redis.setresp(...)
    if select("#", ...) ~= 1 then
        raise("ERR redis.setresp() requires one argument.")
    end
    local version = tonumber((...))
    version = version and floor(version)
    if version ~= 2 and version ~= 3 then
        raise("ERR RESP version must be 2 or 3.")
    end
    resp = version
    dirty[1] = true
    received(host.set_resp(version))
end

redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL = 0, 1, 2, 2, 3

function redis.set_repl(...)
    if select("#", ...) ~= 1 then
        raise("ERR redis.set_repl() requires two arguments.")
    end
    local flags = tonumber((...)) or 0
    if flags < 0 or flags >= 4 then
        raise("ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
    end
end

redis.REDIS_VERSION, redis.REDIS_VERSION_NUM = host.version, host.version_num

-- Results ----------------------------------------------------------------------------------------------------------------

local DEEPEST = host.deepest
local out, size

local function put(value, depth)
    local kind = type(value)
    if kind == "string" or kind == "number" then
        size = size + 1
        out[size] = value
        return
    elseif kind == "boolean" then
        if resp == 3 then
            out[size + 1], out[size + 2] = true, value and TRUE or FALSE
            size = size + 2
        elseif value then
            size = size + 1
            out[size] = 1
        else
            out[size + 1], out[size + 2] = true, NIL
            size = size + 2
        end
        return
    elseif kind ~= "table" then
        out[size + 1], out[size + 2] = true, NIL
        size = size + 2
        return
    elseif depth > DEEPEST then
        host.replied("ERR reached lua stack limit", false)
        out[size + 1], out[size + 2], out[size + 3] = true, ERROR, "ERR reached lua stack limit"
        size = size + 3
        return
    end
    local text = rawget(value, "err")
    if type(text) == "string" then
        host.replied(text, rawget(value, "ignore_error_stats_update") == true)
        out[size + 1], out[size + 2], out[size + 3] = true, ERROR, text
        size = size + 3
        return
    end
    text = rawget(value, "ok")
    if type(text) == "string" then
        out[size + 1], out[size + 2], out[size + 3] = true, STATUS, text
        size = size + 3
        return
    end
    local number = rawget(value, "double")
    if type(number) == "number" then
        out[size + 1], out[size + 2], out[size + 3] = true, DOUBLE, format("%.17g", number)
        size = size + 3
        return
    end
    local members = rawget(value, "map")
    if type(members) == "table" then
        local place, count = size + 3, 0
        out[size + 1], out[size + 2], out[place] = true, MAP, 0
        size = place
        for name, member in next, members do
            put(name, depth + 1)
            put(member, depth + 1)
            count = count + 1
        end
        out[place] = count
        return
    end
    members = rawget(value, "set")
    if type(members) == "table" then
        local place, count = size + 3, 0
        out[size + 1], out[size + 2], out[place] = true, SET, 0
        size = place
        for name in next, members do
            put(name, depth + 1)
            count = count + 1
        end
        out[place] = count
        return
    end
    text = rawget(value, "big_number")
    if type(text) == "string" then
        out[size + 1], out[size + 2], out[size + 3] = true, BIG_NUMBER, text
        size = size + 3
        return
    end
    local verbatim = rawget(value, "verbatim_string")
    if type(verbatim) == "table" then
        local name, body = rawget(verbatim, "format"), rawget(verbatim, "string")
        if type(name) == "string" and type(body) == "string" then
            out[size + 1], out[size + 2], out[size + 3], out[size + 4] = true, VERBATIM, name, body
            size = size + 4
            return
        end
    end
    local place, count = size + 3, 0
    out[size + 1], out[size + 2], out[place] = true, ARRAY, 0
    size = place
    while true do
        local item = rawget(value, count + 1)
        if item == nil then
            break
        end
        put(item, depth + 1)
        count = count + 1
    end
    out[place] = count
end

-- Adds where an error was raised: a function of ours counts as a part of the C function `error`.
local function error_handler(problem)
    if killed then
        return problem
    end
    local level, info = 2, getinfo(2, "Sl")
    if info and info.what == "C" then
        level = 3
        info = getinfo(3, "Sl")
    end
    local skipped = false
    while info and (info.source == "=januskv" or skipped and info.what == "tail") do
        skipped = true
        level = level + 1
        info = getinfo(level, "Sl")
    end
    if type(problem) ~= "table" then
        problem = { err = "ERR " .. tostring(problem) }
    end
    if info and info.source ~= "=januskv:run" and not hidden[problem] then
        rawset(problem, "source", info.source)
        rawset(problem, "line", info.currentline)
    end
    return problem
end

-- `true` and tokens, a plain value, or `true`, FAILED and what is known of the error: its text, where it was raised, and whether a
-- command raised it.
local function finished(ok, value)
    if ok then
        local kind = type(value)
        if kind == "string" or kind == "number" then
            return value
        elseif value == nil or value == false and resp == 2 then
            return nil
        end
        out, size = {}, 0
        put(value, 1)
        local list, count = out, size
        out = nil
        return sent(list, count)
    elseif type(value) ~= "table" then
        return true, FAILED, type(value) == "string" and value or "execution failure", nil, false, false
    end
    local text, source, line = rawget(value, "err"), rawget(value, "source"), rawget(value, "line")
    return true, FAILED, type(text) == "string" and text or "ERR unknown error",
        type(source) == "string" and source, type(line) == "number" and line,
        rawget(value, "ignore_error_stats_update") == true
end

-- The environments ---------------------------------------------------------------------------------------------------------

local function survived(ok, ...)
    if killed then
        stop(killed)
    end
    return ok, ...
end

local tools = {
    null = null,
    hidden = hidden,
    dirty = dirty,
    argument_error = argument_error,
    type_error = type_error,
    number_argument = number_argument,
    string_argument = string_argument,
    pcall = function(...)
        return survived(pcall(...))
    end,
    received = received,
    sent = sent,
    c_int = c_int,
    ERROR = ERROR, EXPECTED = EXPECTED, FAILED = FAILED, MORE = MORE,
    NIL = NIL, TRUE = TRUE, FALSE = FALSE, ARRAY = ARRAY, TABLE = TABLE,
}
local libraries = make_libraries(host, tools)

base.string, base.table, base.math, base.coroutine = frozen(strings), frozen(tables), frozen(maths), frozen(threads)
base.os = frozen({ clock = os.clock })
for name, library in pairs(libraries) do
    base[name] = frozen(library)
end

STRING_METATABLE = frozen({ __index = base.string })
real_setmetatable("", { __index = strings, __metatable = false })

local function copy(contents, ...)
    local copied = {}
    for name, value in pairs(contents) do
        copied[name] = value
    end
    for i = 1, select("#", ...) do
        copied[(select(i, ...))] = nil
    end
    return copied
end

local of_functions = copy(base)
of_functions.redis = frozen(copy(redis))

function redis.replicate_commands()
    return true
end

function redis.breakpoint()
    return false
end

function redis.debug() end

base.redis = frozen(redis)
base.__redis__err__handler = error_handler

local scripts = environment(base)
local functions, functions_metatable = environment(of_functions)

local registered -- while a library is loaded: its functions as {name, body, description, flags}
local FLAGS = host.flags

local function register(name, body, description, flags)
    if type(name) ~= "string" or not find(name, "^[%w_]+$") then
        raise("ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long")
    end
    for i = 1, #registered do
        if registered[i].name == name then
            raise("ERR Function already exists in the library")
        end
    end
    registered[#registered + 1] = { name = name, body = body, description = description or false, flags = flags or "" }
end

local function text_of(value)
    return sendable[type(value)] and tostring(value) or nil
end

local function named_arguments(given)
    local name, body, description, flags
    for key, value in next, hidden[given] or given do
        if not sendable[type(key)] then
            raise("ERR named argument key given to redis.register_function is not a string")
        elseif key == "function_name" then
            name = text_of(value) or raise("ERR function_name argument given to redis.register_function must be a string")
        elseif key == "description" then
            description = text_of(value)
                or raise("ERR description argument given to redis.register_function must be a string")
        elseif key == "callback" then
            if type(value) ~= "function" then
                raise("ERR callback argument given to redis.register_function must be a function")
            end
            body = value
        elseif key == "flags" then
            if type(value) ~= "table" then
                raise("ERR flags argument to redis.register_function must be a table representing function flags")
            end
            local words = {}
            for i = 1, #value do
                words[i] = value[i]
                if type(words[i]) ~= "string" or not find(FLAGS, "," .. words[i] .. ",", 1, true) then
                    raise("ERR unknown flag given")
                end
            end
            flags = concat(words, ",")
        else
            raise("ERR unknown argument given to redis.register_function")
        end
    end
    if not name then
        raise("ERR redis.register_function must get a function name argument")
    elseif not body then
        raise("ERR redis.register_function must get a callback argument")
    end
    register(name, body, description, flags)
end

local function register_function(...)
    local count = select("#", ...)
    local name, body = ...
    if count < 1 or count > 2 then
        raise("ERR wrong number of arguments to redis.register_function")
    elseif not registered then
        raise("ERR redis.register_function can only be called on FUNCTION LOAD command")
    elseif count == 1 then
        if type(name) ~= "table" then
            raise("ERR calling redis.register_function with a single argument is only applicable to Lua table"
                .. " (representing named arguments).")
        end
        named_arguments(name)
        return
    end
    if not sendable[type(name)] then
        raise("ERR first argument to redis.register_function must be a string")
    elseif type(body) ~= "function" then
        raise("ERR second argument to redis.register_function must be a function")
    end
    register(tostring(name), body)
end

-- While a library is loaded there is next to nothing.
local while_loading = { redis = frozen(strict({
    LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
    log = redis.log,
    REDIS_VERSION = redis.REDIS_VERSION, REDIS_VERSION_NUM = redis.REDIS_VERSION_NUM,
    register_function = register_function,
})) }
strict(while_loading)

-- What the engine calls ------------------------------------------------------------------------------------------------------

for _, name in ipairs({ "io", "os", "package", "require", "loadfile", "dofile", "module", "newproxy", "python",
    "getfenv", "setfenv" }) do
    _G[name] = nil
end

local interface = {}
local forget = tools.forget

-- Compiled code comes only from here: see bytecode.py.
function interface.compile(text, name)
    local body, problem = loadstring(text, name)
    if not body then
        return false, problem
    end
    return true, dump(body)
end

function interface.script(code)
    return setfenv(loadstring(code), scripts)
end

function interface.library(code)
    return setfenv(loadstring(code), functions)
end

-- A chunk of its own: the frames below the script, by which errors know that they have passed it.
-- The numbers of one script go on where those of the last one ended, as in Redis, but for seeds.
local function reset(environment_now)
    current, resp = environment_now, 2
    if own_high then
        high, low, own_high, own_low = own_high, own_low, nil, nil
    end
    forget()
end

interface.start_script, interface.start_function = loadstring([[
local xpcall, handler, reset, globals, scripts, functions = ...
return function(body, keys, arguments)
    reset(scripts)
    globals.KEYS, globals.ARGV = keys, arguments
    return xpcall(body, handler)
end, function(body, keys, arguments)
    reset(functions)
    return xpcall(function()
        local result = body(keys, arguments)
        return result
    end, handler)
end]], "=januskv:run")(xpcall, error_handler, reset, base, scripts, functions)
interface.finished, interface.error_handler, interface.globals, interface.dirty = finished, error_handler, base, dirty

function interface.reset_script()
    dirty[1] = false
    reset(scripts)
end

function interface.reset_function()
    dirty[1] = false
    reset(functions)
end

local start_script, start_function = interface.start_script, interface.start_function

local function divide(list, count, keys, arguments)
    for i = 1, count do
        keys[i] = list[i]
    end
    for i = count + 1, #list do
        arguments[i - count] = list[i]
    end
end

function interface.run(body, count, ...)
    local keys, arguments = {}, {}
    divide({ ... }, count, keys, arguments)
    return finished(start_script(body, keys, arguments))
end

function interface.call(body, count, ...)
    local keys, arguments = {}, {}
    divide({ ... }, count, keys, arguments)
    return finished(start_function(body, keys, arguments))
end

-- Many arguments come as a list in parts, since the stack of C is short.
local given

function interface.give(...)
    given = given or {}
    append(given, { ... })
end

function interface.run_given(body, count)
    local list, keys, arguments = given, {}, {}
    given = nil
    divide(list, count, keys, arguments)
    return finished(start_script(body, keys, arguments))
end

function interface.call_given(body, count)
    local list, keys, arguments = given, {}, {}
    given = nil
    divide(list, count, keys, arguments)
    return finished(start_function(body, keys, arguments))
end

-- Runs a library. What it registers is fetched, then, one after the other.
function interface.load(body)
    registered = {}
    functions_metatable.__index = while_loading
    local value, kind, text = finished(xpcall(body, error_handler))
    functions_metatable.__index = of_functions
    local found = registered
    registered = nil
    if value == true and kind == FAILED then
        return false, text
    end
    return true, found
end

function interface.entry(list, i)
    local each = list[i]
    if each then
        return each.name, each.description, each.flags, each.body
    end
end

function interface.rearm()
    sethook(hook, "", every)
    local text, place = killed, killed_at
    killed, killed_at = false, nil
    return text, place or false
end

function interface.collect()
    collectgarbage()
end

seed(0)
return interface
