# What Ruby itself loads of Marshal dumps: logins among objects of every kind, links and cycles.
#
#     ruby tests/vectors/rails_marshal.rb > crates/sessions/tests/data/rails_marshal.json
#
# Each row is [the dump in Base64, Warden's key, the last request], the latter two as Ruby loads them.
require "json"
require "bigdecimal"
require "set"
require "ostruct"
require "active_support"
require "active_support/all"

Time.zone = "Europe/Warsaw"
Point = Struct.new(:x, :y)
class Thing
  def initialize(inner) = (@inner, @name = inner, "thing")
end
class Loaded
  def initialize(inner) = @inner = inner
  def marshal_dump = [@inner, "dumped"]
  def marshal_load(data) = @inner = data
end
class Packed
  def initialize(text) = @text = text
  def _dump(_) = @text
  def self._load(text) = new(text)
end
class Names < Array; end

RANDOM = Random.new(17)
def pick(list) = list[RANDOM.rand(list.size)]

# A value that may hold one of `shared`, which then is a link.
def value(depth, shared)
  kinds = %i[nil true integer big float string symbol binary encoded regexp time zone decimal class shared]
  kinds += %i[list hash default thing loaded packed struct set open extended names] if depth < 4
  inner = -> { value(depth + 1, shared) }
  made = case pick(kinds)
         when :nil then nil
         when :true then pick([true, false])
         when :integer then pick([0, 1, -1, 122, 123, -123, -124, 255, 256, -256, -257, 65_535, 65_536, 2**30 - 1, -2**30])
         when :big then pick([2**30, -2**30 - 1, 2**62, 2**64, 2**200, 1_795_986_477])
         when :float then pick([0.5, -1e100, Float::INFINITY, Float::NAN])
         when :string then pick(["", "a", "grüß", "x" * 300])
         when :symbol then pick([:a, :"größe", :E, :last_request_at])
         when :binary then "\xff\x00".b
         when :encoded then "größe".encode(pick(%w[ISO-8859-1 UTF-16LE]))
         when :regexp then pick([/a+/, /grö/i, /x/n])
         when :time then pick([Time.at(0).utc, Time.at(1_700_000_000, 5)])
         when :zone then Time.zone.at(1_700_000_000)
         when :decimal then BigDecimal("1.5")
         when :class then pick([String, Comparable])
         when :shared then return pick(shared)
         when :list then Array.new(RANDOM.rand(4)) { inner.() }
         when :hash then { inner.().to_s => inner.(), inner.() => 1 }
         when :default then Hash.new(inner.()).merge!("a" => inner.())
         when :thing then Thing.new(inner.())
         when :loaded then Loaded.new(inner.())
         when :packed then Packed.new("packed")
         when :struct then Point.new(inner.(), inner.())
         when :set then Set.new([1, "a"])
         when :open then OpenStruct.new(a: inner.())
         when :extended then inner.().then { |it| it.is_a?(String) ? it.dup.extend(Comparable) : it }
         when :names then Names.new([1, inner.()])
         end
  shared << made unless made.nil? || made == true || made == false || made.is_a?(Integer) || made.is_a?(Symbol)
  made
end

def row(session)
  dump = Marshal.dump(session)
  session = Marshal.load(dump)
  [[dump].pack("m0"), session["warden.user.user.key"], session.dig("warden.user.user.session", "last_request_at")]
end

SALT = "$2a$12$abcdefghijklmnopqrstuv"
rows = Array.new(400) do |index|
  id = pick([1, 255, 256, 70_000, 2**31, 2**40, "8f14e45f-ceea-467f-9c8a-0242ac120002"])
  salt = SALT.dup
  shared = ["session", salt, [id]]
  before = Array.new(RANDOM.rand(3)) { |at| ["before#{at}", value(0, shared)] }
  after = Array.new(RANDOM.rand(3)) { |at| ["after#{at}", value(0, shared)] }
  own = [["warden.user.user.key", [pick([[id], shared[2]]), pick([salt, SALT])]]]
  own << ["warden.user.user.session", { "last_request_at" => pick([1_700_000_000, 2**33]) }] if index.odd?
  row([*before, *own.shuffle(random: RANDOM), *after].to_h)
end
# A hash that holds itself, and a login within a cycle.
session = { "warden.user.user.key" => [[7], SALT] }
session["itself"] = session
rows << row(session)
puts "[\n#{rows.map { |it| JSON.generate(it) }.join(",\n")}\n]"
