-- Asks for one of so many, each as often.

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")

function init(args)
  objects = tonumber(args[1])
  math.randomseed(tonumber(args[3]) % 2147483647)
end

function request()
  return wrk.format(nil, wrk.path .. math.random(objects))
end
