/**
 * A small emoji list in the shape the kit's picker reads: `search` holds `name:index` entries joined by commas, and
 * `emojis` the characters by index. Enough for a chat; any other can still be typed.
 */

const EMOJI = `
😀 grinning face|😃 smiling with open mouth|😄 smile|😁 beaming|😆 laughing|😅 sweat smile|😂 tears of joy|🤣 rolling on the floor|🙂 slight smile|🙃 upside down
😉 wink|😊 blush|😇 innocent halo|🥰 smiling with hearts|😍 heart eyes|😘 kiss|😋 yum|😜 winking tongue|🤪 zany|🤔 thinking
🤨 raised eyebrow|😐 neutral|😑 expressionless|😶 no mouth|🙄 rolling eyes|😏 smirk|😬 grimace|😌 relieved|😴 sleeping|🤒 thermometer sick
🤯 mind blown|🤠 cowboy|🥳 party face|😎 cool sunglasses|🤓 nerd|🧐 monocle|😕 confused|🙁 frown|😮 surprised|😲 astonished
😳 flushed|🥺 pleading|😢 cry|😭 sob|😱 scream|😤 huff|😡 angry|🤬 swearing|💀 skull|👻 ghost
👽 alien|🤖 robot|👋 wave hello|✋ raised hand|🖖 vulcan|👌 ok hand|✌️ victory peace|🤞 fingers crossed|🤟 love you|👈 point left
👉 point right|👆 point up|👇 point down|👍 thumbs up yes|👎 thumbs down no|✊ fist|👏 clap|🙌 raising hands|🤝 handshake|🙏 thanks please
💪 muscle strong|🧠 brain|👀 eyes|❤️ red heart|🧡 orange heart|💛 yellow heart|💚 green heart|💙 blue heart|💜 purple heart|💔 broken heart
💯 hundred|💥 boom|💫 dizzy|💬 speech|💤 sleep zzz|🔥 fire|⭐ star|✨ sparkles|🎉 tada party|🎂 cake birthday
🎁 gift|🏆 trophy|🎯 target|🎵 music note|☕ coffee|🍵 tea|🍕 pizza|🍎 apple|🍪 cookie|🍻 cheers
🌱 seedling|🌸 blossom|🌈 rainbow|☀️ sun|🌧️ rain|❄️ snow|🌍 earth|🚀 rocket|🐶 dog|🐱 cat
🐼 panda|🦊 fox|🐢 turtle|🐛 bug|✅ check done|❌ cross no|❓ question|❗ exclamation|💡 idea bulb|📌 pin
📎 paperclip|📅 calendar|⏰ alarm clock|⏳ hourglass|🔒 lock|🔑 key|🔧 wrench|💻 laptop|📱 phone|🎧 headphones
`;

export function emojiData(): { emojis: string[]; search: string } {
  const entries = EMOJI.trim()
    .split(/[|\n]/)
    .map((entry) => {
      const space = entry.indexOf(' ');
      return { emoji: entry.slice(0, space), name: entry.slice(space + 1) };
    });
  return {
    emojis: entries.map((entry) => entry.emoji),
    search: entries.map((entry, index) => `${entry.name}:${index}`).join(','),
  };
}
