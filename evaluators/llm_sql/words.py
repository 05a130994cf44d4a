"""Words that generated tables are written with: common English ones, the most frequent first."""

_TEXT = """
the and that with for this was not from have but they which one you were her all there would their been who more
when will out what about some could them other into than then only its time also two may first like any after new
these people over such our even most made good great work where much well before through back years because way
being under day same state another know while last might us long find still own see men between life never world
down made place such house think here under both again each few since against high right large often hand thing
without place small found once part general upon school every don does got united left number course war until
always away something fact though water less public put thought almost enough far took head yet government system
better set told nothing night end why called eyes find going look asked later knew point next city business give
group toward young days let room president side social given present several order national second possible rather
per face among form important often things early white case large need best four within along saw ever least power
development light thing seemed family interest want members mind country area others done turned although open
service certain kind different began door thus means means help sense whole matter york times body perhaps law
half name human line across provided problem held action money taken themselves already question several quality
information local history hundred research music really voice company today believe program market cost price
change result process special field control community production material season story battery screen design
performance delivery customer package product review excellent broken shipping comfortable durable expensive cheap
colour weather mountain river island garden kitchen village harbour festival orchestra director actor character
dialogue picture camera comedy drama thriller romance adventure mystery documentary animation soundtrack ending
brewery bottle bitter sweet malt caramel chocolate roasted citrus floral aroma finish carbonation texture amber
golden server network connection request response timeout failure memory storage database permission password
account invoice payment refund contract department engineer analyst manager electronics furniture clothing hardware
software accessory warranty international independent distribution representative communication environment
"""

WORDS = tuple(dict.fromkeys(_TEXT.split()))
