-- cjson, cmsgpack, struct and bit. The sandbox gives its tools, the engine those functions that are Python's.

local host, tools = ...

local null, argument_error, received, sent, c_int = tools.null, tools.argument_error, tools.received, tools.sent, tools.c_int
local number_argument, string_argument, type_error = tools.number_argument, tools.string_argument, tools.type_error
local ERROR, EXPECTED, FAILED, NIL, TRUE, FALSE, ARRAY, TABLE = tools.ERROR, tools.EXPECTED, tools.FAILED, tools.NIL,
    tools.TRUE, tools.FALSE, tools.ARRAY, tools.TABLE
local error, floor, huge, next, rawget, select, tonumber, tostring, type = error, math.floor, math.huge, next, rawget,
    select, tonumber, tostring, type
local byte, char, find, format, gsub, lower, sub = string.byte, string.char, string.find, string.format, string.gsub,
    string.lower, string.sub
local concat = table.concat
local hidden = tools.hidden

local libraries = {}

-- bit --------------------------------------------------------------------------------------------------------------------

local bit = {}
libraries.bit = bit

for name, most in next, { tobit = 1, bnot = 1, bswap = 1, lshift = 2, rshift = 2, arshift = 2, rol = 2, ror = 2 } do
    local operation = host["bit_" .. name]
    if most == 1 then
        bit[name] = function(...)
            local a = ...
            local number = number_argument(1, select("#", ...), a)
            local result = operation(number)
            return result
        end
    else
        bit[name] = function(...)
            local a, b = ...
            local count = select("#", ...)
            a, b = number_argument(1, count, a), number_argument(2, count, b)
            local result = operation(a, b)
            return result
        end
    end
end

for _, name in next, { "band", "bor", "bxor" } do
    local operation = host["bit_" .. name]
    bit[name] = function(...)
        local count = select("#", ...)
        if count == 2 then
            local a, b = ...
            if type(a) == "number" and type(b) == "number" then
                return operation(a, b)
            end
        end
        local result = host.bit_tobit(number_argument(1, count, (...)))
        for i = count, 2, -1 do
            result = operation(result, number_argument(i, count, (select(i, ...))))
        end
        return result
    end
end

function bit.tohex(...)
    local a, b = ...
    local count = select("#", ...)
    a = number_argument(1, count, a)
    b = count < 2 and 8 or number_argument(2, count, b)
    local result = host.bit_tohex(a, b)
    return result
end

-- struct -----------------------------------------------------------------------------------------------------------------

local struct = {}
libraries.struct = struct

-- Values for Python, which must never be given tables and functions.
local function plain(...)
    local list = { ... }
    local count = select("#", ...)
    for i = 1, count do
        local kind = type(list[i])
        if kind ~= "string" and kind ~= "number" then
            list[i] = false
        end
    end
    return list, count
end

function struct.pack(...)
    local count = select("#", ...)
    local layout = string_argument(1, count, (...))
    local list = plain(...)
    list[1] = layout
    local value, kind, position, text = host.struct_pack(sent(list, count))
    if kind == EXPECTED then
        local given = select("#", ...) >= position and (select(position, ...)) or nil
        -- The C library pushes a nil below its arguments.
        type_error(1, position, text, position, given)
    elseif kind == ERROR then
        if position == 0 then
            error(text, 2)
        end
        argument_error(1, position, text)
    end
    return received(value, kind, position)
end

function struct.unpack(...)
    local count = select("#", ...)
    local layout, data, start = ...
    layout, data = string_argument(1, count, layout), string_argument(2, count, data)
    start = start == nil and 1 or number_argument(3, count, start)
    local value, kind, position, text = host.struct_unpack(layout, data, start)
    if kind == ERROR then
        if position == 0 then
            error(text, 2)
        end
        argument_error(1, position, text)
    elseif kind == FAILED then
        received(value, kind, position)
    end
    return received(true, tools.MORE)
end

function struct.size(...)
    local layout = string_argument(1, select("#", ...), (...))
    local value, kind, position, text = host.struct_size(layout)
    if kind == ERROR then
        if position == 0 then
            error(text, 2)
        end
        argument_error(1, position, text)
    end
    return value
end

-- cmsgpack ---------------------------------------------------------------------------------------------------------------

local cmsgpack = { _NAME = "cmsgpack", _VERSION = "lua-cmsgpack 0.4.0", _COPYRIGHT = "", _DESCRIPTION = "MessagePack" }
libraries.cmsgpack = cmsgpack

local MOST_NESTING = 16
local out, size

local function is_array(t)
    local count, largest = 0, 0
    for name in next, t do
        if type(name) ~= "number" or name <= 0 or name ~= floor(name) or name >= 2 ^ 63 then
            return false
        end
        if name > largest then
            largest = name
        end
        count = count + 1
    end
    return largest == count, count
end

local function put(value, depth)
    local kind = type(value)
    if kind == "string" or kind == "number" then
        size = size + 1
        out[size] = value
    elseif kind == "boolean" then
        out[size + 1], out[size + 2] = true, value and TRUE or FALSE
        size = size + 2
    elseif kind ~= "table" or depth == MOST_NESTING then
        out[size + 1], out[size + 2] = true, NIL
        size = size + 2
    else
        value = hidden[value] or value
        local array, count = is_array(value)
        local place = size + 3
        size = place
        if array then
            out[place - 2], out[place - 1], out[place] = true, ARRAY, count
            for i = 1, count do
                put(rawget(value, i), depth + 1)
            end
            return
        end
        count = 0
        for name, item in next, value do
            count = count + 1
            put(name, depth + 1)
            put(item, depth + 1)
        end
        out[place - 2], out[place - 1], out[place] = true, TABLE, count
    end
end

function cmsgpack.pack(...)
    local count = select("#", ...)
    if count == 0 then
        argument_error(1, 0, "MessagePack pack needs input.")
    end
    out, size = {}, 0
    for i = 1, count do
        put((select(i, ...)), 0)
    end
    local list, total = out, size
    out = nil
    local value, kind, text = host.pack(sent(list, total))
    return received(value, kind, text)
end

local unpack_one = host.unpack_one

local function unpacked(text, limit, offset)
    local all = limit == 0 and offset == 0
    if offset < 0 or limit < 0 then
        error(format("Invalid request to unpack with offset of %d and limit of %d.", offset, #text), 3)
    elseif offset > #text then
        error(format("Start offset %d greater than input length %d.", offset, #text), 3)
    end
    local value, kind, position, problem = host.unpack(text, all and -1 or limit, offset)
    if kind == ERROR then
        error(problem, position < 0 and 0 or 3)
    elseif kind == FAILED then
        received(value, kind, position)
    end
    return value
end

function cmsgpack.unpack(...)
    local text = string_argument(1, select("#", ...), (...))
    -- The bridge (bridge.pyx) reads what is common and whole.
    local one = unpack_one and unpack_one(text)
    if one then
        return one[1]
    elseif unpacked(text, 0, 0) then
        return received(true, tools.MORE)
    end
end

function cmsgpack.unpack_one(...)
    local count = select("#", ...)
    local text, offset = ...
    text = string_argument(1, count, text)
    offset = offset == nil and 0 or c_int(number_argument(2, count, offset))
    unpacked(text, 1, offset)
    return received(true, tools.MORE)
end

function cmsgpack.unpack_limit(...)
    local count = select("#", ...)
    local text, limit, offset = ...
    text = string_argument(1, count, text)
    limit = c_int(number_argument(2, count, limit))
    offset = offset == nil and 0 or c_int(number_argument(3, count, offset))
    if unpacked(text, limit, offset) then
        return received(true, tools.MORE)
    end
end

-- cjson ------------------------------------------------------------------------------------------------------------------

local ESCAPES = {}
for i = 0, 31 do
    ESCAPES[char(i)] = format("\\u%04x", i)
end
for from, to in next, { ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\t"] = "\\t", ["\n"] = "\\n",
    ["\f"] = "\\f", ["\r"] = "\\r", ["\127"] = "\\u007f" } do
    ESCAPES[from] = to
end
local UNESCAPES = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", t = "\t", n = "\n", f = "\f", r = "\r" }
local SPECIAL = '[%c"\\/]'

local function defaults()
    return {
        convert = false, ratio = 2, safe = 10, encode_depth = 1000, decode_depth = 1000, precision = 14,
        number = "%.14g", keep = true, encode_invalid = 0, decode_invalid = 1,
    }
end

local encode_common = host.encode_common

local function encoder(settings, is_new)
    local parts, count, fault

    local function fail(value, reason)
        fault = format("Cannot serialise %s: %s", type(value), reason)
        error(fault, 0)
    end

    local function number_text(value, write)
        if value ~= value or value == huge or value == -huge then
            if settings.encode_invalid == 0 then
                fail(value, "must not be NaN or Inf")
            elseif settings.encode_invalid == 2 then
                return "null"
            end
            return value ~= value and "nan" or value > 0 and "inf" or "-inf"
        end
        return format(settings.number, value)
    end

    local function array_length(t)
        local largest, items = 0, 0
        for name in next, t do
            if type(name) ~= "number" or name < 1 or floor(name) ~= name then
                return -1
            end
            if name > largest then
                largest = name
            end
            items = items + 1
        end
        if settings.ratio > 0 and largest > items * settings.ratio and largest > settings.safe then
            if not settings.convert then
                fail(t, "excessively sparse array")
            end
            return -1
        end
        return largest
    end

    local function write(value, depth)
        local kind = type(value)
        if kind == "string" then
            count = count + 1
            parts[count] = '"' .. (find(value, SPECIAL) and gsub(value, SPECIAL, ESCAPES) or value) .. '"'
        elseif kind == "number" then
            count = count + 1
            parts[count] = number_text(value)
        elseif kind == "table" then
            value = hidden[value] or value
            depth = depth + 1
            if depth > settings.encode_depth then
                fault = format("Cannot serialise, excessive nesting (%d)", depth)
                error(fault, 0)
            end
            local length = array_length(value)
            if length > 0 then
                parts[count + 1] = "["
                count = count + 1
                for i = 1, length do
                    if i > 1 then
                        count = count + 1
                        parts[count] = ","
                    end
                    write(rawget(value, i), depth)
                end
                count = count + 1
                parts[count] = "]"
                return
            end
            local first = true
            for name, item in next, value do
                count = count + 1
                parts[count] = first and "{" or ","
                first = false
                if type(name) == "number" then
                    count = count + 1
                    parts[count] = '"' .. number_text(name) .. '":'
                elseif type(name) == "string" then
                    write(name, depth)
                    count = count + 1
                    parts[count] = ":"
                else
                    fail(name, "table key must be a number or string")
                end
                write(item, depth)
            end
            count = count + 1
            parts[count] = first and "{}" or "}"
        elseif kind == "nil" or value == null then
            count = count + 1
            parts[count] = "null"
        elseif kind == "boolean" then
            count = count + 1
            parts[count] = value and "true" or "false"
        else
            fail(value, "type not supported")
        end
    end

    return function(...)
        if select("#", ...) ~= 1 then
            argument_error(1, 1, "expected 1 argument")
        end
        -- The bridge (bridge.pyx) spells what is common, with the first settings.
        local text = encode_common and is_new() and encode_common((...))
        if text then
            return text
        end
        parts, count, fault = {}, 0, nil
        local ok, problem = tools.pcall(write, (...), 0)
        local list = parts
        parts = nil
        if not ok then
            error(problem, problem == fault and 2 or 0)
        end
        return concat(list)
    end
end

local function utf8(code)
    if code < 0x80 then
        return char(code)
    elseif code < 0x800 then
        return char(0xC0 + floor(code / 0x40), 0x80 + code % 0x40)
    elseif code < 0x10000 then
        return char(0xE0 + floor(code / 0x1000), 0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
    end
    return char(0xF0 + floor(code / 0x40000), 0x80 + floor(code / 0x1000) % 0x40, 0x80 + floor(code / 0x40) % 0x40,
        0x80 + code % 0x40)
end

local NAMES = {
    ["{"] = "T_OBJ_BEGIN", ["}"] = "T_OBJ_END", ["["] = "T_ARR_BEGIN", ["]"] = "T_ARR_END", [":"] = "T_COLON",
    [","] = "T_COMMA", string = "T_STRING", number = "T_NUMBER", boolean = "T_BOOLEAN", null = "T_NULL", ["end"] = "T_END",
}

local function decoder(settings)
    local text, position -- position: where the next token begins
    local kind, value, start -- the last token
    local fault

    local function token_error(reason, place)
        kind, value, start = "error", reason, place
    end

    local function is_odd_number(place)
        local first = sub(text, place, place)
        if first == "+" then
            return true
        elseif first == "-" then
            place = place + 1
            first = sub(text, place, place)
        end
        if first == "0" then
            return find(text, "^[xX%d]", place + 1) ~= nil
        elseif first <= "9" then
            return false
        end
        local word = lower(sub(text, place, place + 2))
        return word == "inf" or word == "nan"
    end

    -- The longest part that C's strtod takes.
    local function number(place)
        local _, stop = find(text, "^-?%d+%.?%d*", place)
        if stop and not find(text, "^0[xX]", place + (byte(text, place) == 45 and 1 or 0)) then
            local _, exponent = find(text, "^[eE][+-]?%d+", stop + 1)
            stop = exponent or stop
            kind, value, start = "number", tonumber(sub(text, place, stop)), place
            position = stop + 1
            return
        end
        local _, sign = find(text, "^[+-]?", place)
        local negative = sub(text, place, sign) == "-"
        local rest = sign + 1
        local _, hex = find(text, "^0[xX]%x*%.?%x*", rest)
        local result
        if hex and find(text, "^0[xX]%.?%x", rest) then
            local _, power = find(text, "^[pP][+-]?%d+", hex + 1)
            stop = power or hex
            result = tonumber(sub(text, rest, stop))
        elseif find(text, "^[iI][nN][fF][iI][nN][iI][tT][yY]", rest) then
            stop, result = rest + 7, huge
        elseif find(text, "^[iI][nN][fF]", rest) then
            stop, result = rest + 2, huge
        elseif find(text, "^[nN][aA][nN]", rest) then
            stop, result = rest + 2, -(huge - huge)
            local _, more = find(text, "^%([%w_]*%)", rest + 3)
            stop = more or stop
        else
            _, stop = find(text, "^%d+%.?%d*", rest)
            if not stop then
                _, stop = find(text, "^%.%d+", rest)
            end
            if stop then
                local _, exponent = find(text, "^[eE][+-]?%d+", stop + 1)
                stop = exponent or stop
                result = tonumber(sub(text, rest, stop))
            end
        end
        if not result then
            token_error("invalid number", place)
            return
        end
        kind, value, start = "number", negative and -result or result, place
        position = stop + 1
    end

    local function string_token(place)
        local at = place + 1
        local pieces, count
        while true do
            local stop = find(text, '["\\%z]', at)
            local mark = stop and byte(text, stop)
            if mark == 34 then
                kind, start, position = "string", place, stop + 1
                if pieces then
                    pieces[count + 1] = sub(text, at, stop - 1)
                    value = concat(pieces)
                else
                    value = sub(text, at, stop - 1)
                end
                return
            elseif mark ~= 92 then
                token_error("unexpected end of string", stop or #text + 1)
                return
            end
            pieces, count = pieces or {}, (count or 0) + 1
            pieces[count] = sub(text, at, stop - 1)
            local letter = sub(text, stop + 1, stop + 1)
            local plain_character = UNESCAPES[letter]
            if plain_character then
                at = stop + 2
            elseif letter ~= "u" then
                token_error("invalid escape code", stop)
                return
            else
                local code = find(text, "^%x%x%x%x", stop + 2) and tonumber(sub(text, stop + 2, stop + 5), 16)
                at = stop + 6
                if code and code >= 0xD800 and code < 0xE000 then
                    local second = code < 0xDC00 and find(text, "^\\u[dD][c-fC-F]%x%x", at)
                        and tonumber(sub(text, at + 2, at + 5), 16)
                    code = second and (code - 0xD800) * 0x400 + second - 0xDC00 + 0x10000
                    at = at + 6
                end
                if not code then
                    token_error("invalid unicode escape code", stop)
                    return
                end
                plain_character = utf8(code)
            end
            count = count + 1
            pieces[count] = plain_character
        end
    end

    local function advance()
        local place = find(text, "[^ \t\n\r]", position)
        local mark = place and byte(text, place)
        if not mark or mark == 0 then
            kind, start = "end", place or #text + 1
            position = start
        elseif mark == 34 then
            string_token(place)
        elseif mark == 123 or mark == 125 or mark == 91 or mark == 93 or mark == 58 or mark == 44 then
            kind, start, position = char(mark), place, place + 1
        elseif mark == 45 or mark >= 48 and mark <= 57 then
            if settings.decode_invalid == 0 and is_odd_number(place) then
                token_error("invalid number", place)
            else
                number(place)
            end
        elseif mark == 116 and sub(text, place, place + 3) == "true" then
            kind, value, start, position = "boolean", true, place, place + 4
        elseif mark == 102 and sub(text, place, place + 4) == "false" then
            kind, value, start, position = "boolean", false, place, place + 5
        elseif mark == 110 and sub(text, place, place + 3) == "null" then
            kind, value, start, position = "null", null, place, place + 4
        elseif settings.decode_invalid ~= 0 and find(text, "^[iInN+]", place) and is_odd_number(place) then
            number(place)
        else
            token_error("invalid token", place)
        end
    end

    local function unexpected(wanted)
        fault = format("Expected %s but found %s at character %d", wanted, kind == "error" and value or NAMES[kind], start)
        error(fault, 0)
    end

    local function deeper(depth)
        if depth > settings.decode_depth then
            fault = format("Found too many nested data structures (%d) at character %d", depth, start)
            error(fault, 0)
        end
    end

    local read

    local function object(depth)
        deeper(depth)
        local result = {}
        advance()
        if kind == "}" then
            return result
        end
        while true do
            if kind ~= "string" then
                unexpected("object key string")
            end
            local name = value
            advance()
            if kind ~= ":" then
                unexpected("colon")
            end
            advance()
            result[name] = read(depth)
            advance()
            if kind == "}" then
                return result
            elseif kind ~= "," then
                unexpected("comma or object end")
            end
            advance()
        end
    end

    local function array(depth)
        deeper(depth)
        local result, count = {}, 0
        advance()
        if kind == "]" then
            return result
        end
        while true do
            count = count + 1
            result[count] = read(depth)
            advance()
            if kind == "]" then
                return result
            elseif kind ~= "," then
                unexpected("comma or array end")
            end
            advance()
        end
    end

    function read(depth)
        if kind == "string" or kind == "number" or kind == "boolean" or kind == "null" then
            return value
        elseif kind == "{" then
            return object(depth + 1)
        elseif kind == "[" then
            return array(depth + 1)
        end
        unexpected("value")
    end

    local function decode()
        position = 1
        advance()
        local result = read(0)
        advance()
        if kind ~= "end" then
            unexpected("the end")
        end
        return result
    end

    return function(...)
        if select("#", ...) ~= 1 then
            argument_error(1, 1, "expected 1 argument")
        end
        text, fault = string_argument(1, 1, (...)), nil
        if #text >= 2 and (byte(text, 1) == 0 or byte(text, 2) == 0) then
            error("JSON parser does not support UTF-16 or UTF-32", 2)
        end
        local ok, result = tools.pcall(decode)
        text, value = nil, nil
        if not ok then
            error(result, result == fault and 2 or 0)
        end
        return result
    end
end

local changed -- settings of the shared library that a script has changed

local function new_cjson(settings, touched, is_new)
    local cjson = { _NAME = "cjson", _VERSION = "2.1.0", null = null }

    local function arguments(most, count)
        if count > most then
            argument_error(2, most + 1, "found too many arguments")
        end
        touched()
    end

    local function whole_option(position, count, given, name, least, most)
        if given ~= nil then
            local number = number_argument(position, count, given, 3)
            number = number < 0 and -floor(-number) or floor(number)
            if number < least or number > most then
                argument_error(2, 1, format("expected integer between %d and %d", least, most))
            end
            settings[name] = number
        end
    end

    local function choice(position, count, given, name, options, yes)
        if given == nil then
            return
        elseif type(given) == "boolean" then
            settings[name] = given and yes or 0
            return
        end
        given = string_argument(position, count, given, 3)
        for i = 1, #options do
            if options[i] == given then
                settings[name] = i - 1
                return
            end
        end
        argument_error(2, position, format("invalid option '%s'", given))
    end

    local OFF_ON = { "off", "on" }

    function cjson.encode_sparse_array(...)
        local convert, ratio, safe = ...
        local count = select("#", ...)
        arguments(3, count)
        settings.convert_choice = settings.convert and 1 or 0
        choice(1, count, convert, "convert_choice", OFF_ON, 1)
        settings.convert = settings.convert_choice == 1
        whole_option(2, count, ratio, "ratio", 0, 2 ^ 31 - 1)
        whole_option(3, count, safe, "safe", 0, 2 ^ 31 - 1)
        return settings.convert, settings.ratio, settings.safe
    end

    local function single(name, least, most)
        return function(...)
            local given = ...
            arguments(1, select("#", ...))
            whole_option(1, 1, given, name, least, most)
            if name == "precision" then
                settings.number = "%." .. settings.precision .. "g"
            end
            return settings[name]
        end
    end

    cjson.encode_max_depth = single("encode_depth", 1, 2 ^ 31 - 1)
    cjson.decode_max_depth = single("decode_depth", 1, 2 ^ 31 - 1)
    cjson.encode_number_precision = single("precision", 1, 14)

    function cjson.encode_keep_buffer(...)
        local given = ...
        arguments(1, select("#", ...))
        settings.keep_choice = settings.keep and 1 or 0
        choice(1, 1, given, "keep_choice", OFF_ON, 1)
        settings.keep = settings.keep_choice == 1
        return settings.keep
    end

    function cjson.encode_invalid_numbers(...)
        local given = ...
        arguments(1, select("#", ...))
        choice(1, 1, given, "encode_invalid", { "off", "on", "null" }, 1)
        if settings.encode_invalid == 2 then
            return "null"
        end
        return settings.encode_invalid == 1
    end

    function cjson.decode_invalid_numbers(...)
        local given = ...
        arguments(1, select("#", ...))
        choice(1, 1, given, "decode_invalid", OFF_ON, 1)
        return settings.decode_invalid == 1
    end

    function cjson.new()
        local untouched = true
        return new_cjson(defaults(), function()
            untouched = false
        end, function()
            return untouched
        end)
    end

    cjson.encode, cjson.decode = encoder(settings, is_new), decoder(settings)
    return cjson
end

local shared = defaults()
libraries.cjson = new_cjson(shared, function()
    changed = true
    tools.dirty[1] = true
end, function()
    return not changed
end)

-- What a script has set ends with it.
function tools.forget()
    if changed then
        changed = false
        for name, value in next, defaults() do
            shared[name] = value
        end
    end
end

return libraries
