-- Asks for one of so many by Zipf's law: the n-th is asked for in proportion to 1 / n^s.

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")

function init(args)
  local objects, s = tonumber(args[1]), tonumber(args[2])
  math.randomseed(tonumber(args[3]) % 2147483647)
  sums, total = {}, 0
  for rank = 1, objects do
    total = total + 1 / rank ^ s
    sums[rank] = total
  end
end

-- The first rank whose sum is above a number that any has as often.
function request()
  local wanted, low, high = math.random() * total, 1, #sums
  while low < high do
    local middle = math.floor((low + high) / 2)
    if sums[middle] < wanted then low = middle + 1 else high = middle end
  end
  return wrk.format(nil, wrk.path .. low)
end
